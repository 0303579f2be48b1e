-- Recorded sessions: what the pages themselves are lies in the object store, what is asked about them here.

-- One row per chunk of recordings.raw. A repeat of a client is a second row with the same event id: readers take the
-- first one of each (by source), so nothing is counted twice whenever it came.
CREATE TABLE IF NOT EXISTS {database}.recording_chunks
(
  `dataset_id` String,
  `session_id` String,
  `window_id` String,
  -- Empty for nobody.
  `distinct_id` String,
  `event_id` String,
  `collector_time` DateTime64(3, 'UTC'),
  -- Of the first and the last rrweb event in it, by the client's clock; by the collector's where they are over a day apart.
  `first_time` DateTime64(3, 'UTC'),
  `last_time` DateTime64(3, 'UTC'),
  `events` UInt32,
  `clicks` UInt32,
  `keypresses` UInt32,
  -- Seconds since 1970 within which the visitor did something, each once, ascending.
  `active` Array(UInt32),
  -- Of the first page in it; empty when the chunk begins in the middle of one.
  `first_url` String,
  `console_logs` UInt32,
  `console_warns` UInt32,
  `console_errors` UInt32,
  `library` String,
  -- Of the line before compression.
  `bytes` UInt64,
  -- Where the line lies: bytes of the object that are a gzip member of their own.
  `object_key` String,
  `object_from` UInt64,
  `object_bytes` UInt64,
  -- Place of the record in recordings.raw.
  `src_partition` Int64,
  `src_offset` Int64,
  INDEX by_session session_id TYPE bloom_filter(0.01) GRANULARITY 1,
  PROJECTION by_source (SELECT src_partition, src_offset ORDER BY src_partition, src_offset)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(collector_time)
ORDER BY (dataset_id, toDate(collector_time), session_id, src_offset)
SETTINGS
  non_replicated_deduplication_window = 100000,
  fsync_after_insert = 1,
  fsync_part_directory = 1;

-- Sessions that were deleted. From the row on nobody is shown anything of them; what comes later is removed, too.
CREATE TABLE IF NOT EXISTS {database}.recording_deletions
(
  `dataset_id` String,
  `session_id` String,
  `deleted_at` DateTime64(3, 'UTC') DEFAULT now64(3),
  `deleted_by` String
)
ENGINE = ReplacingMergeTree
ORDER BY (dataset_id, session_id)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;
