-- Who people are, as the identity stage decided. Every row is a state with its version: the newest version of a key
-- holds, and writing a row twice says the same thing twice. Readers take the newest, by argMax or LIMIT 1 BY; merges
-- only make that cheaper.

-- The distinct ids that belong to another person than the one they would make by themselves: where this table has no
-- row for it, the person of a distinct id is named by that id. It holds what merges moved, so joining it costs
-- little; a merge changes what every question answers at once, and no row of an event is written again.
CREATE TABLE IF NOT EXISTS {database}.person_overrides
(
  `dataset_id` String,
  `distinct_id` String,
  -- The person's name within its dataset: the distinct id that it began with.
  `person_key` String,
  `version` UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (dataset_id, distinct_id)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;

-- Every distinct id that was ever seen, with its person: what lists a person's ids.
CREATE TABLE IF NOT EXISTS {database}.person_distinct_ids
(
  `dataset_id` String,
  `distinct_id` String,
  `person_key` String,
  `is_deleted` Bool,
  `version` UInt64,
  INDEX by_person person_key TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (dataset_id, distinct_id)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS {database}.persons
(
  `dataset_id` String,
  `person_key` String,
  -- Follows from the dataset and the key; the name that the API gives away.
  `person_id` UUID,
  `created_at` DateTime64(3, 'UTC'),
  `is_identified` Bool,
  -- As of now: a JSON object.
  `properties` String,
  `is_deleted` Bool,
  `version` UInt64,
  INDEX by_person_id person_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (dataset_id, person_key)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;

-- Every change of a person with what was true after it: the timeline, the merges and why, and the properties as of
-- an event.
CREATE TABLE IF NOT EXISTS {database}.person_changes
(
  `dataset_id` String,
  `person_key` String,
  -- Arrival of what caused it; never earlier than that of the change before in its dataset.
  `valid_from` DateTime64(3, 'UTC'),
  `version` UInt64,
  -- created, set, merged, swallowed, split, deleted, merge_refused …
  `change` LowCardinality(String),
  -- For people to read: which rule decided.
  `reason` String,
  -- The event or the API call behind it.
  `event_id` String,
  `distinct_id` String,
  -- The other person of a merge or a split.
  `other_person_key` String,
  -- JSON object, as it is after the change.
  `properties` String,
  `actor` String
)
ENGINE = ReplacingMergeTree
ORDER BY (dataset_id, person_key, valid_from, version)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;

-- Which person a distinct id belonged to from when on; as person_overrides, every row that ever held.
CREATE TABLE IF NOT EXISTS {database}.person_override_changes
(
  `dataset_id` String,
  `distinct_id` String,
  `valid_from` DateTime64(3, 'UTC'),
  `version` UInt64,
  `person_key` String
)
ENGINE = ReplacingMergeTree
ORDER BY (dataset_id, distinct_id, valid_from, version)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;

-- Groups of people (companies, teams): five types a dataset at most.
CREATE TABLE IF NOT EXISTS {database}.groups
(
  `dataset_id` String,
  `group_type_index` UInt8,
  `group_key` String,
  `created_at` DateTime64(3, 'UTC'),
  `properties` String,
  `is_deleted` Bool,
  `version` UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (dataset_id, group_type_index, group_key)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS {database}.group_types
(
  `dataset_id` String,
  `group_type` String,
  `group_type_index` UInt8,
  `version` UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (dataset_id, group_type)
SETTINGS
  fsync_after_insert = 1,
  fsync_part_directory = 1;
