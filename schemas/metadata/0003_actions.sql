-- Names for events that fit one of several steps. They are evaluated when a question is asked.
CREATE TABLE actions (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  -- JSON lists.
  steps TEXT NOT NULL,
  tags TEXT NOT NULL,
  post_to_slack INTEGER NOT NULL,
  slack_message_format TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);

-- The name of an action that was deleted may be taken.
CREATE UNIQUE INDEX actions_name ON actions (dataset_id, name) WHERE deleted = 0;
