-- Events that somebody asked to be deleted: those of a distinct id that had arrived by then. The identity stage deletes
-- them when a row comes, and again while events that had arrived may still be on their way.
CREATE TABLE IF NOT EXISTS {database}.event_deletions
(
  `dataset_id` String,
  `distinct_id` String,
  -- In time of arrival (events.collector_time), included.
  `arrived_until` DateTime64(3, 'UTC'),
  `version` UInt64
)
ENGINE = ReplacingMergeTree
ORDER BY (dataset_id, distinct_id, arrived_until)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;

-- Rows are masked, which is quick; without this the projections of the table forbid it.
ALTER TABLE {database}.events MODIFY SETTING lightweight_mutation_projection_mode = 'rebuild';
