-- A JSON object with a kind, of an insight that was saved as a query; its filters are then empty.
ALTER TABLE insights ADD COLUMN query TEXT;
