-- Questions that were saved. What they answer is in no table.
CREATE TABLE insights (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  -- Random, for addresses that people pass on.
  short_id TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  -- Kind of the question, as its filters say.
  insight TEXT NOT NULL,
  -- A JSON object, and a JSON list.
  filters TEXT NOT NULL,
  tags TEXT NOT NULL,
  favorited INTEGER NOT NULL,
  saved INTEGER NOT NULL,
  last_modified_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);

CREATE UNIQUE INDEX insights_short_id ON insights (dataset_id, short_id);

-- Who looked at which insight last when.
CREATE TABLE insight_views (
  dataset_id TEXT NOT NULL,
  viewer TEXT NOT NULL,
  insight_id BIGINT NOT NULL,
  viewed_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, viewer, insight_id)
);

-- What was done to objects, by whom. Of a dataset the newest are kept.
CREATE TABLE activities (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  object TEXT NOT NULL,
  object_id BIGINT NOT NULL,
  activity TEXT NOT NULL,
  -- Of the object, as it was called afterwards.
  name TEXT NOT NULL,
  -- JSON list of the names of fields.
  fields TEXT NOT NULL,
  done_by TEXT NOT NULL,
  done_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);

CREATE INDEX activities_object ON activities (dataset_id, object, object_id, id);
