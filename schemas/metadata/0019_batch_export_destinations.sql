-- What kind of place a batch export goes to; config is that of its kind.
ALTER TABLE batch_exports ADD COLUMN destination TEXT NOT NULL DEFAULT 'S3';
