-- Links by which anybody may see one insight, or one recording, as dashboard_shares has them for dashboards.
CREATE TABLE insight_shares (
  sha256 TEXT PRIMARY KEY,
  dataset_id TEXT NOT NULL,
  insight_id BIGINT NOT NULL,
  tail TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);

CREATE UNIQUE INDEX insight_shares_of ON insight_shares (dataset_id, insight_id);

CREATE TABLE recording_shares (
  sha256 TEXT PRIMARY KEY,
  dataset_id TEXT NOT NULL,
  session_id TEXT NOT NULL,
  tail TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL
);

CREATE UNIQUE INDEX recording_shares_of ON recording_shares (dataset_id, session_id);
