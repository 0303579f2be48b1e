-- The last number that an object of a kind got in a dataset. Numbers are not used again.
CREATE TABLE object_numbers (
  dataset_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  last BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, kind)
);

-- Notes at a point in time, for charts.
CREATE TABLE annotations (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  content TEXT NOT NULL,
  date_marker BIGINT,
  creation_type TEXT NOT NULL,
  scope TEXT NOT NULL,
  dashboard_item BIGINT,
  deleted INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);
