-- Commands of the API that were applied or refused, by their ids: one that comes again is passed over, however late it
-- comes and however often the topic is read. A row per call, kept for ever as the topic is.
CREATE TABLE identity_commands (
  dataset_id TEXT NOT NULL,
  command_id TEXT NOT NULL,
  PRIMARY KEY (dataset_id, command_id)
);
