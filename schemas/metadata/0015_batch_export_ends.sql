-- When a batch export stops by itself: the end of its last interval.
ALTER TABLE batch_exports ADD COLUMN end_at BIGINT;
