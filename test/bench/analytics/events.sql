-- Events {from} to {from} + {count} of a dataset of {events}, in the order in which they arrive: visits of ten events by
-- web shoppers, over the 90 days before {end}. Everything follows from the number of the event by hashes, so every run stores
-- the same. Columns that such a client's events do not have are null.
INSERT INTO events
(
  schema_version, event_id, dataset_id, event, distinct_id, anonymous_id, user_id, session_id, event_time, client_time,
  collector_time, time_corrected_ms, protocol, library, library_version, src_partition, src_offset, recipe,
  url, url_scheme, url_host, url_domain, url_path, page_title, referrer, referrer_host, utm_source,
  session_start, session_index, user_agent, browser, browser_version, os, device_type, screen_width, screen_height,
  locale, ip, geo_country, geo_city, engaged_seconds, page_view_id, properties
)
WITH
  number AS n,
  intDiv(n, 10) AS visit,
  n % 10 AS step,
  -- A fifth of all visits are spread evenly over everybody, the others mostly by those who come often.
  if(visit % 5 = 0,
    intDiv(visit, 5) * 7919 % {people:UInt64},
    toUInt64({people:UInt64} * pow(sipHash64(1, visit) % 1000000 / 1000000, 2))) AS person,
  concat('anon-', lower(leftPad(hex(sipHash64(2, person)), 16, '0'))) AS anonymous,
  {end:Int64} - 90 * 86400000 + intDiv(visit * 90 * 864000000, {events:UInt64}) AS visit_ms,
  least(visit_ms + toInt64(step * 40000 + sipHash64(3, n) % 40000), {end:Int64} - 1) AS time_ms,
  -- Three of ten sign in, each from a day of its own on.
  person % 10 < 3 AND visit_ms >= {end:Int64} - 86400000 * toInt64(sipHash64(4, person) % 90) AS is_known,
  concat('user-', toString(person)) AS known,
  sipHash64(5, n) % 1000 AS draw,
  ['boots', 'shirts', 'hats', 'bags', 'sale', 'new'][1 + sipHash64(6, n) % 6] AS category,
  -- Few items are seen often.
  toUInt64(200 * pow(sipHash64(7, n) % 1000000 / 1000000, 3)) AS item,
  if(step = 0 AND n % 3 = 0, '/', concat('/', category, '/', toString(item))) AS path
SELECT
  1,
  concat('evt-', lower(hex(sipHash128(8, n)))),
  {dataset:String},
  multiIf(
    step = 0 OR draw < 450, 'page_view', draw < 620, 'product_view', draw < 740, 'click', draw < 820, 'scroll',
    draw < 880, 'add_to_cart', draw < 920, 'search', draw < 945, 'checkout_started', draw < 960, 'purchase',
    draw < 965, 'signup', draw < 970, 'video_play', concat('feature_', toString(sipHash64(9, n) % 40))),
  if(is_known, known, anonymous),
  anonymous,
  if(is_known, known, NULL),
  lower(leftPad(hex(sipHash64(10, visit)), 16, '0')),
  fromUnixTimestamp64Milli(time_ms, 'UTC'),
  toString(fromUnixTimestamp64Milli(time_ms, 'UTC')),
  fromUnixTimestamp64Milli(time_ms + 800, 'UTC'),
  0,
  'native',
  'millrace-web',
  '1.4.0',
  person % 12,
  n,
  '9f86d081884c7d65',
  concat('https://shop.example', path),
  'https',
  'shop.example',
  'shop.example',
  path,
  concat('Shop: ', category, ' ', toString(item)),
  if(step = 0, 'https://www.google.com/', 'https://shop.example/'),
  if(step = 0, 'www.google.com', 'shop.example'),
  if(visit % 4 = 0, ['news', 'ads', 'social'][1 + sipHash64(11, visit) % 3], NULL),
  fromUnixTimestamp64Milli(visit_ms, 'UTC'),
  1,
  concat('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/', toString(100 + sipHash64(12, person) % 40), '.0.0.0 Safari/537.36'),
  ['Chrome', 'Chrome', 'Safari', 'Firefox', 'Edge'][1 + sipHash64(13, person) % 5],
  toString(100 + sipHash64(12, person) % 40),
  ['Windows', 'macOS', 'Linux', 'Android', 'iOS'][1 + sipHash64(14, person) % 5],
  ['desktop', 'mobile', 'tablet'][1 + sipHash64(15, person) % 3],
  1920,
  1080,
  ['de-DE', 'en-US', 'fr-FR'][1 + sipHash64(16, person) % 3],
  concat('10.', toString(sipHash64(17, person) % 256), '.', toString(sipHash64(18, person) % 256), '.7'),
  ['DE', 'US', 'FR', 'AT', 'CH', 'GB'][1 + sipHash64(19, person) % 6],
  ['Berlin', 'New York', 'Paris', 'Wien'][1 + sipHash64(20, person) % 4],
  (sipHash64(21, n) % 900) / 10,
  lower(hex(sipHash64(22, n))),
  concat(
    '{"plan":"', ['free', 'free', 'free', 'pro', 'team'][1 + sipHash64(23, person) % 5],
    '","variant":"', ['a', 'b'][1 + person % 2],
    '","position":', toString(sipHash64(24, n) % 40),
    ',"item_id":"sku-', toString(item), '","category":"', category,
    '","list":"', ['search results', 'home page', 'recommended', 'newsletter'][1 + sipHash64(25, n) % 4],
    '","amount":', toString(sipHash64(26, n) % 20000 / 100), ',"in_stock":', if(n % 7 = 0, 'false', 'true'),
    ',"tags":["', ['summer', 'winter', 'outlet'][1 + sipHash64(27, n) % 3], '","', ['red', 'blue', 'green'][1 + sipHash64(28, n) % 3],
    '"],"request_id":"', lower(hex(sipHash128(29, n))), '"}')
FROM numbers({from:UInt64}, {count:UInt64});
