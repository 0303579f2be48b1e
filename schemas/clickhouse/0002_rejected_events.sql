-- Events that were accepted over HTTP and then refused (schemas/rejected-event/v1.ts, same order).
CREATE TABLE IF NOT EXISTS {database}.rejected_events
(
  `schema_version` Int64,
  `event_id` String,
  `dataset_id` String,
  `event` Nullable(String),
  `distinct_id` Nullable(String),
  `collector_time` DateTime64(3, 'UTC'),
  `stage` String,
  `code` String,
  `details` Array(String),
  `payload` String,
  `payload_bytes` Int64,
  `protocol` String,
  `ip` Nullable(String),
  `user_agent` Nullable(String),
  `src_partition` Int64,
  `src_offset` Int64,
  `recipe` String,
  INDEX by_event_id event_id TYPE bloom_filter(0.01) GRANULARITY 1,
  PROJECTION by_source (SELECT src_partition, src_offset ORDER BY src_partition, src_offset),
  PROJECTION per_hour (SELECT dataset_id, code, toStartOfHour(collector_time) AS hour, count() GROUP BY dataset_id, code, hour)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(collector_time)
ORDER BY (dataset_id, toDate(collector_time), code, collector_time, event_id)
SETTINGS
  -- Tokens remembered. The fast path of a repeated insert only: what a replay relies on is the count by source.
  non_replicated_deduplication_window = 100000,
  -- Acknowledged rows outlive a power cut, not only a killed process.
  fsync_after_insert = 1,
  fsync_part_directory = 1;
