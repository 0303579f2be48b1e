-- Which properties events of a name have, per day, with how many events there were and when they were received: what lists
-- of definitions are made of. A projection lives inside the part, so no kill can leave it apart from its rows. At most
-- 1,000 names per event and day: a client that makes names up fills its own list and nothing else.
-- Rows from before this file are read from the events themselves until they are gone.
ALTER TABLE {database}.events
  ADD PROJECTION IF NOT EXISTS per_property
  (SELECT dataset_id, event, toDate(event_time) AS day, count(), min(collector_time), max(collector_time), groupUniqArrayArray(1000)(JSONExtractKeys(properties)) GROUP BY dataset_id, event, day);
