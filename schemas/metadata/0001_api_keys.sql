-- One SQL text for SQLite and PostgreSQL: times are BIGINT epoch milliseconds, booleans INTEGER 0 or 1, JSON is TEXT.
-- A migration that was applied is never edited: the next file changes what it made.

-- Personal keys of the API. Only hashes of their texts are here.
CREATE TABLE personal_api_keys (
  id TEXT PRIMARY KEY,
  label TEXT NOT NULL,
  sha256 TEXT NOT NULL UNIQUE,
  -- The end of the text, by which people tell their keys apart.
  tail TEXT NOT NULL,
  -- The text before the last roll, as long as it may still be used.
  previous_sha256 TEXT UNIQUE,
  previous_until BIGINT,
  -- JSON lists of text; ["*"] for all.
  scopes TEXT NOT NULL,
  datasets TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  -- Id of the key that made it, or what else did.
  created_by TEXT NOT NULL,
  rolled_at BIGINT,
  expires_at BIGINT,
  -- Rounded down to the hour.
  last_used_at BIGINT
);
