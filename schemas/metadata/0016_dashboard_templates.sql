-- Dashboards as documents, beside those that come with the product.
CREATE TABLE dashboard_templates (
  dataset_id TEXT NOT NULL,
  id BIGINT NOT NULL,
  template_name TEXT NOT NULL,
  dashboard_description TEXT NOT NULL,
  -- JSON: an object, and lists.
  dashboard_filters TEXT NOT NULL,
  tags TEXT NOT NULL,
  tiles TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (dataset_id, id)
);
