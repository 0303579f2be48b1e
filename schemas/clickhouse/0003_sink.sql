-- What the sink keeps beside the events.

-- One row per range of a topic partition whose events are all in their table: verified, complete. Where the
-- positions of the consumer group are gone, the sink resumes from here. A repeated row says the same thing twice;
-- readers use DISTINCT.
CREATE TABLE IF NOT EXISTS {database}.batches
(
  `topic` String,
  `topic_id` String,
  `partition` Int32,
  `start` Int64,
  `end` Int64,
  `records` Int64,
  `inserted` Int64,
  `skipped` Int64,
  `rejected` Int64,
  `src` Int64,
  `landed` Int64,
  `digest` String,
  `nonce` String,
  `table` String,
  `delivered_at` DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (topic, partition, start)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;

-- Records of the topics that are no event: not JSON, without source, of a newer shape. Nothing stops for them and
-- nothing is lost: the value is kept whole, with the reason; as base64 where it is not UTF-8.
CREATE TABLE IF NOT EXISTS {database}.undecodable_records
(
  `topic` String,
  `partition` Int32,
  `offset` Int64,
  `landed` DateTime64(3, 'UTC'),
  `reason` String,
  `encoding` String,
  `value` String,
  `value_bytes` Int64
)
ENGINE = MergeTree
ORDER BY (topic, partition, offset)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;
