-- Who has looked at which recorded session.
CREATE TABLE recording_views (
  dataset_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  -- Name of the key's holder.
  viewed_by TEXT NOT NULL,
  viewed_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, session_id, viewed_by)
);
