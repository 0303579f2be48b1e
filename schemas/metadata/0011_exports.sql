-- Files that are made in the background. Their contents lie elsewhere, under a key made of dataset, id and attempt.
CREATE TABLE exports (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  -- JSON: which question, as it was asked.
  source TEXT NOT NULL,
  media_type TEXT NOT NULL,
  filename TEXT NOT NULL,
  -- pending, running, completed, failed
  status TEXT NOT NULL,
  row_count BIGINT,
  byte_count BIGINT,
  error TEXT,
  -- Grows with every process that begins it: whoever works under an older number is not heard any more.
  attempts INTEGER NOT NULL,
  leased_until BIGINT,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  finished_at BIGINT,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);

CREATE INDEX exports_due ON exports (status, created_at);

CREATE INDEX exports_expired ON exports (expires_at);
