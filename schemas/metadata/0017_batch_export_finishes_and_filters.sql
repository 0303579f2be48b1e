-- When runs and backfills of batch exports were done. Of those that were before, it is when their last manifest was read.
ALTER TABLE batch_export_runs ADD COLUMN finished_at BIGINT;
ALTER TABLE batch_export_chains ADD COLUMN finished_at BIGINT;
UPDATE batch_export_runs SET finished_at = updated_at;
UPDATE batch_export_chains SET finished_at = COALESCE(
  (SELECT max(updated_at) FROM batch_export_runs WHERE batch_export_runs.delivery_id = batch_export_chains.delivery_id),
  created_at
) WHERE status = 'completed';
-- Property filters, as they were sent: JSON.
ALTER TABLE batch_exports ADD COLUMN filters TEXT;
