-- Insights and texts side by side.
CREATE TABLE dashboards (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  pinned INTEGER NOT NULL,
  -- A JSON list, and a JSON object of what stands over the filters of every insight.
  tags TEXT NOT NULL,
  filters TEXT NOT NULL,
  restriction_level INTEGER NOT NULL,
  creation_mode TEXT NOT NULL,
  last_modified_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);

-- Either an insight or a text.
CREATE TABLE dashboard_tiles (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  dashboard_id BIGINT NOT NULL,
  insight_id BIGINT,
  body TEXT,
  -- A JSON object: where it stands on wide (sm) and narrow (xs) screens.
  layouts TEXT NOT NULL,
  color TEXT,
  PRIMARY KEY (dataset_id, id)
);

-- An insight is on a dashboard once.
CREATE UNIQUE INDEX dashboard_tiles_insight ON dashboard_tiles (dataset_id, dashboard_id, insight_id);
CREATE INDEX dashboard_tiles_of ON dashboard_tiles (dataset_id, insight_id);

-- Links by which anybody may read one dashboard. Only hashes of their tokens are here.
CREATE TABLE dashboard_shares (
  sha256 TEXT PRIMARY KEY,
  dataset_id TEXT NOT NULL,
  dashboard_id BIGINT NOT NULL,
  -- The end of the token, by which people tell links apart.
  tail TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);

CREATE UNIQUE INDEX dashboard_shares_of ON dashboard_shares (dataset_id, dashboard_id);
