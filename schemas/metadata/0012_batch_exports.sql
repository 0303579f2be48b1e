-- Events that go on going to a bucket. What is done is told by manifests in the bucket; runs are read from them.
CREATE TABLE batch_exports (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  name TEXT NOT NULL,
  interval TEXT NOT NULL,
  timezone TEXT NOT NULL,
  day_begins INTEGER NOT NULL,
  -- JSON, without secrets; those are sealed.
  config TEXT NOT NULL,
  sealed_credentials TEXT NOT NULL,
  mask_pii INTEGER NOT NULL,
  paused INTEGER NOT NULL,
  last_paused_at BIGINT,
  start_at BIGINT NOT NULL,
  deleted INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);

-- Deliveries of batch exports: the schedule, backfills, windows delivered again.
CREATE TABLE batch_export_chains (
  delivery_id TEXT PRIMARY KEY,
  dataset_id TEXT NOT NULL,
  export_id BIGINT NOT NULL,
  number BIGINT NOT NULL,
  kind TEXT NOT NULL,
  -- waiting, running, completed, removed
  status TEXT NOT NULL,
  ranges TEXT NOT NULL,
  start_at BIGINT,
  end_at BIGINT,
  latest_error TEXT,
  created_at BIGINT NOT NULL,
  UNIQUE (dataset_id, export_id, number)
);

-- How far manifests have been read. A manifest counts in the transaction that moves the position past it.
CREATE TABLE batch_export_positions (
  delivery_id TEXT NOT NULL REFERENCES batch_export_chains (delivery_id) ON DELETE CASCADE,
  partition_number BIGINT NOT NULL,
  -- Where the chain begins.
  first_offset BIGINT NOT NULL,
  next_offset BIGINT NOT NULL,
  landed BIGINT NOT NULL,
  skipped TEXT NOT NULL,
  PRIMARY KEY (delivery_id, partition_number)
);

CREATE TABLE batch_export_runs (
  delivery_id TEXT NOT NULL REFERENCES batch_export_chains (delivery_id) ON DELETE CASCADE,
  window_start BIGINT NOT NULL,
  window_end BIGINT NOT NULL,
  records BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  files BIGINT NOT NULL,
  skipped INTEGER NOT NULL,
  manifests TEXT NOT NULL,
  ranges TEXT NOT NULL,
  superseded_by TEXT,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (delivery_id, window_start)
);
