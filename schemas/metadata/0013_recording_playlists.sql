-- Recordings that somebody wants to keep together: by hand, and by what finds them.
CREATE TABLE recording_playlists (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  -- Random, for addresses that people pass on.
  short_id TEXT NOT NULL,
  name TEXT NOT NULL,
  -- What a client calls one that nobody has named.
  derived_name TEXT,
  description TEXT NOT NULL,
  pinned INTEGER NOT NULL,
  -- A JSON object: parameters of the list of recordings.
  filters TEXT NOT NULL,
  last_modified_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);

CREATE UNIQUE INDEX recording_playlists_short_id ON recording_playlists (dataset_id, short_id);

-- Recordings that were put on a playlist by hand.
CREATE TABLE playlist_recordings (
  dataset_id TEXT NOT NULL,
  playlist_id BIGINT NOT NULL,
  session_id TEXT NOT NULL,
  added_at BIGINT NOT NULL,
  added_by TEXT NOT NULL,
  PRIMARY KEY (dataset_id, playlist_id, session_id)
);

CREATE INDEX playlist_recordings_of ON playlist_recordings (dataset_id, session_id);
