-- Named sets of persons. Who is in one is in ClickHouse, a set per calculation; which calculation holds is said here.
CREATE TABLE cohorts (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  is_static INTEGER NOT NULL,
  -- JSON: what makes somebody a member; of a static one nothing.
  filters TEXT NOT NULL,
  -- The last finished calculation, 0 before the first one, with its result.
  calculation BIGINT NOT NULL,
  members BIGINT,
  calculated_at BIGINT,
  -- The last one that was begun. Only that one may become the one that holds.
  begun BIGINT NOT NULL,
  begun_at BIGINT,
  -- Until then nobody else begins; null while none is running.
  begun_until BIGINT,
  -- Somebody asked for a calculation at once.
  is_due INTEGER NOT NULL,
  -- In a row.
  errors BIGINT NOT NULL,
  deleted INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);

-- Which cohorts are to be calculated, in all datasets.
CREATE INDEX cohorts_by_turn ON cohorts (is_static, deleted, begun_at);

-- Calculations that ended, the latest of each cohort.
CREATE TABLE cohort_calculations (
  dataset_id TEXT NOT NULL,
  cohort_id BIGINT NOT NULL,
  calculation BIGINT NOT NULL,
  begun_at BIGINT NOT NULL,
  ended_at BIGINT NOT NULL,
  -- Null for one that failed.
  members BIGINT,
  entered BIGINT,
  left_it BIGINT,
  -- Null for one that did not.
  error TEXT,
  PRIMARY KEY (dataset_id, cohort_id, calculation)
);
