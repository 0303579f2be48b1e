-- What people set for a dataset through the API. What an installation's configuration says of a dataset is elsewhere.
CREATE TABLE dataset_settings (
  dataset_id TEXT PRIMARY KEY,
  -- JSON list of filters that events of real people pass.
  test_account_filters TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL
);
