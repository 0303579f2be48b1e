-- stop_hash: what an event is called on a path, as a number, 0 for an event that is called nothing. A page view is called by
-- its address without slashes at its end, a screen by its name, any other event by its own name. Nobody sends this column,
-- `SELECT *` leaves it out, and rows from before this file have it computed as they are read.
ALTER TABLE {database}.events
  ADD COLUMN IF NOT EXISTS `stop_hash` UInt64 MATERIALIZED arrayMap(name -> if(name = '', toUInt64(0), sipHash64(name)), [multiIf(
    event IN ('$pageview', 'page_view'),
    arrayMap(address -> if(length(address) > 1, trim(TRAILING '/' FROM address), address), arrayMap(
      json -> multiIf(
        json IN ('', 'null'), ifNull(toString(url), ''),
        startsWith(json, '"') AND position(json, char(92)) = 0, substring(json, 2, length(json) - 2),
        startsWith(json, '"'), JSONExtractString(json),
        json),
      [properties_4['$current_url']]))[1],
    event = '$screen',
    arrayMap(
      json -> multiIf(
        json IN ('', 'null'), ifNull(toString(screen_name), ''),
        startsWith(json, '"') AND position(json, char(92)) = 0, substring(json, 2, length(json) - 2),
        startsWith(json, '"'), JSONExtractString(json),
        json),
      [properties_5['$screen_name']])[1],
    event)])[1];
