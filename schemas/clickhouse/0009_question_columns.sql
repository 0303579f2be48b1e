-- What questions read instead of the texts that it follows from. Nobody sends these columns, `SELECT *` leaves them out, and
-- rows from before this file have them computed as they are read.
--
-- distinct_hash: whose event it is as a number, 0 for nobody. People are joined, grouped and counted by it.
-- properties_0 to properties_7: the members of `properties` by the CRC-32 of their name, modulo 8, each as JSON, so that one
-- property is read without the others and without parsing.
ALTER TABLE {database}.events
  ADD COLUMN IF NOT EXISTS `distinct_hash` UInt64 MATERIALIZED if(ifNull(distinct_id, '') = '', toUInt64(0), sipHash64(ifNull(distinct_id, ''))),
  ADD COLUMN IF NOT EXISTS `properties_0` Map(LowCardinality(String), String) MATERIALIZED mapFromArrays(
    CAST(arrayFilter((name, bucket) -> bucket = 0, JSONExtractKeysAndValuesRaw(properties).1, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1)), 'Array(LowCardinality(String))'),
    arrayFilter((json, bucket) -> bucket = 0, JSONExtractKeysAndValuesRaw(properties).2, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1))),
  ADD COLUMN IF NOT EXISTS `properties_1` Map(LowCardinality(String), String) MATERIALIZED mapFromArrays(
    CAST(arrayFilter((name, bucket) -> bucket = 1, JSONExtractKeysAndValuesRaw(properties).1, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1)), 'Array(LowCardinality(String))'),
    arrayFilter((json, bucket) -> bucket = 1, JSONExtractKeysAndValuesRaw(properties).2, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1))),
  ADD COLUMN IF NOT EXISTS `properties_2` Map(LowCardinality(String), String) MATERIALIZED mapFromArrays(
    CAST(arrayFilter((name, bucket) -> bucket = 2, JSONExtractKeysAndValuesRaw(properties).1, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1)), 'Array(LowCardinality(String))'),
    arrayFilter((json, bucket) -> bucket = 2, JSONExtractKeysAndValuesRaw(properties).2, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1))),
  ADD COLUMN IF NOT EXISTS `properties_3` Map(LowCardinality(String), String) MATERIALIZED mapFromArrays(
    CAST(arrayFilter((name, bucket) -> bucket = 3, JSONExtractKeysAndValuesRaw(properties).1, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1)), 'Array(LowCardinality(String))'),
    arrayFilter((json, bucket) -> bucket = 3, JSONExtractKeysAndValuesRaw(properties).2, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1))),
  ADD COLUMN IF NOT EXISTS `properties_4` Map(LowCardinality(String), String) MATERIALIZED mapFromArrays(
    CAST(arrayFilter((name, bucket) -> bucket = 4, JSONExtractKeysAndValuesRaw(properties).1, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1)), 'Array(LowCardinality(String))'),
    arrayFilter((json, bucket) -> bucket = 4, JSONExtractKeysAndValuesRaw(properties).2, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1))),
  ADD COLUMN IF NOT EXISTS `properties_5` Map(LowCardinality(String), String) MATERIALIZED mapFromArrays(
    CAST(arrayFilter((name, bucket) -> bucket = 5, JSONExtractKeysAndValuesRaw(properties).1, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1)), 'Array(LowCardinality(String))'),
    arrayFilter((json, bucket) -> bucket = 5, JSONExtractKeysAndValuesRaw(properties).2, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1))),
  ADD COLUMN IF NOT EXISTS `properties_6` Map(LowCardinality(String), String) MATERIALIZED mapFromArrays(
    CAST(arrayFilter((name, bucket) -> bucket = 6, JSONExtractKeysAndValuesRaw(properties).1, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1)), 'Array(LowCardinality(String))'),
    arrayFilter((json, bucket) -> bucket = 6, JSONExtractKeysAndValuesRaw(properties).2, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1))),
  ADD COLUMN IF NOT EXISTS `properties_7` Map(LowCardinality(String), String) MATERIALIZED mapFromArrays(
    CAST(arrayFilter((name, bucket) -> bucket = 7, JSONExtractKeysAndValuesRaw(properties).1, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1)), 'Array(LowCardinality(String))'),
    arrayFilter((json, bucket) -> bucket = 7, JSONExtractKeysAndValuesRaw(properties).2, arrayMap(name -> CRC32(name) % 8, JSONExtractKeysAndValuesRaw(properties).1)));
