-- Numbers that are to be seen at a glance: each is the result of an insight, in rows and an order.
CREATE TABLE kpis (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  name TEXT NOT NULL,
  insight BIGINT NOT NULL,
  kpi_row BIGINT NOT NULL,
  -- Of kpis in a row.
  place BIGINT NOT NULL,
  trend TEXT NOT NULL,
  last_modified_by TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);
