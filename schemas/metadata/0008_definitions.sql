-- What people say about the events and properties that were seen. That they were seen, and when, ClickHouse knows.
CREATE TABLE definitions (
  dataset_id TEXT NOT NULL,
  -- event, property:event, property:person, property:group:<index>
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  -- JSON list of text.
  tags TEXT NOT NULL,
  verified INTEGER NOT NULL,
  -- Of a property: what people say it is, where that is not what its values look like.
  property_type TEXT,
  -- Deleted: shown again when it was seen after this.
  deleted_at BIGINT,
  updated_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL,
  PRIMARY KEY (dataset_id, kind, name)
);
