-- Who is in a cohort, a whole set per calculation. Which calculation holds is in the metadata database, so a set becomes
-- visible at once and as a whole, and one whose calculation was overtaken never does. Sets that nobody reads any more
-- are deleted.
CREATE TABLE IF NOT EXISTS {database}.cohort_members
(
  `dataset_id` String,
  `cohort_id` UInt64,
  `calculation` UInt64,
  -- An id of the person: whose it is now is looked up when the set is read, so members stay members through merges.
  `distinct_id` String
)
ENGINE = MergeTree
ORDER BY (dataset_id, cohort_id, calculation, distinct_id)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;

-- Who came and went with each calculation. Rows of one that never held mean nothing.
CREATE TABLE IF NOT EXISTS {database}.cohort_changes
(
  `dataset_id` String,
  `cohort_id` UInt64,
  `calculation` UInt64,
  `distinct_id` String,
  `is_member` Bool,
  `changed_at` DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (dataset_id, cohort_id, calculation, distinct_id)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;
