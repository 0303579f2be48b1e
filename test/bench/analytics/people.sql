-- The people of a dataset as the identity stage tells them: {people} of them, and what merges moved for three of ten. Each
-- table is written in two inserts, so that there are versions that a newer one has replaced.
INSERT INTO persons (dataset_id, person_key, person_id, created_at, is_identified, properties, is_deleted, version)
SELECT
  {dataset:String}, key, id, created, 0, '{"first_country":"DE"}', 0, number + 1
FROM ({persons});

INSERT INTO persons (dataset_id, person_key, person_id, created_at, is_identified, properties, is_deleted, version)
SELECT
  {dataset:String}, key, id, created, 1,
  concat('{"email":"user', toString(number), '@shop.example","name":"User ', toString(number),
    '","plan":"', ['free', 'pro', 'team'][1 + number % 3], '","country":"', ['DE', 'US', 'FR'][1 + number % 3],
    '","orders":', toString(number % 17), ',"first_referrer":"https://www.google.com/","newsletter":true}'),
  0, {people:UInt64} + number + 1
FROM ({persons}) WHERE number % 10 < 3;

INSERT INTO person_changes
  (dataset_id, person_key, valid_from, version, change, reason, event_id, distinct_id, other_person_key, properties, actor)
SELECT dataset_id, person_key, created_at, version, if(is_identified, 'merged', 'created'), '', '', '', '', properties, ''
FROM persons WHERE dataset_id = {dataset:String};

INSERT INTO person_distinct_ids (dataset_id, distinct_id, person_key, is_deleted, version)
SELECT {dataset:String}, key, key, 0, number + 1 FROM ({persons});

INSERT INTO person_distinct_ids (dataset_id, distinct_id, person_key, is_deleted, version)
SELECT {dataset:String}, concat('user-', toString(number)), key, 0, {people:UInt64} + number + 1
FROM ({persons}) WHERE number % 10 < 3;

INSERT INTO person_overrides (dataset_id, distinct_id, person_key, version)
SELECT {dataset:String}, distinct_id, person_key, version FROM person_distinct_ids
WHERE dataset_id = {dataset:String} AND distinct_id != person_key;

INSERT INTO person_override_changes (dataset_id, distinct_id, valid_from, version, person_key)
SELECT
  {dataset:String}, concat('user-', toString(number)),
  fromUnixTimestamp64Milli({end:Int64} - 86400000 * toInt64(sipHash64(4, number) % 90), 'UTC'),
  {people:UInt64} + number + 1, key
FROM ({persons}) WHERE number % 10 < 3;
