-- What the identity stage knows: who persons are, how far it has read, and what it still has to tell. One SQL text for
-- SQLite and PostgreSQL: times are BIGINT epoch milliseconds, booleans INTEGER 0 or 1, JSON is TEXT.

-- One row per partition of events.identity.
CREATE TABLE identity_partitions (
  source_partition INTEGER PRIMARY KEY,
  -- The topic that the position is of; another one of the same name has other records.
  topic_id TEXT NOT NULL,
  -- Goes up with every owner: whoever has a lower one is not the owner any more and writes nothing.
  epoch BIGINT NOT NULL,
  owner TEXT NOT NULL,
  -- The next record to be read; null before the first.
  next_offset BIGINT,
  -- The last number given to a row of the outbox.
  outbox_seq BIGINT NOT NULL,
  -- JSON object: the highest raw offset that was applied, by raw partition.
  sources TEXT NOT NULL
);

CREATE TABLE identity_datasets (
  dataset_id TEXT PRIMARY KEY,
  version BIGINT NOT NULL,
  changed_at BIGINT NOT NULL,
  -- JSON list of text, in the order of their indexes.
  group_types TEXT NOT NULL
);

CREATE TABLE identity_persons (
  dataset_id TEXT NOT NULL,
  person_key TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  is_identified INTEGER NOT NULL,
  properties TEXT NOT NULL,
  distinct_ids BIGINT NOT NULL,
  version BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, person_key)
);

CREATE TABLE identity_distinct_ids (
  dataset_id TEXT NOT NULL,
  distinct_id TEXT NOT NULL,
  -- Null when the person was deleted.
  person_key TEXT,
  seen BIGINT NOT NULL,
  initials BIGINT NOT NULL,
  is_overridden INTEGER NOT NULL,
  deleted_at BIGINT,
  version BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, distinct_id)
);
CREATE INDEX identity_distinct_ids_of_person ON identity_distinct_ids (dataset_id, person_key);

CREATE TABLE identity_groups (
  dataset_id TEXT NOT NULL,
  group_type_index INTEGER NOT NULL,
  group_key TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  properties TEXT NOT NULL,
  version BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, group_type_index, group_key)
);

-- Rows that ClickHouse and the topic of persons do not have yet, in the order in which they are to be told.
CREATE TABLE identity_outbox (
  source_partition INTEGER NOT NULL,
  seq BIGINT NOT NULL,
  -- Table of ClickHouse, or erasures: rows to be taken out of tables.
  target TEXT NOT NULL,
  -- One line of JSON, as that table takes it.
  body TEXT NOT NULL,
  -- UTF-8.
  bytes BIGINT NOT NULL,
  queued_at BIGINT NOT NULL,
  PRIMARY KEY (source_partition, seq)
);
