import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type ConfigFile,
  readConfigFile,
  showConfigFault,
} from '../../../../services/cli/config/config-file.ts'
import { parseAccessKey } from '../../../../services/core/control/access-key.ts'

const FILES: Readonly<Record<string, string>> = {
  'good.json': '{"type":"object"}',
  'list.json': '[]',
  'broken.json': '{',
}

function read(text: string): ConfigFile {
  return readConfigFile(text, (path) => {
    const content = FILES[path]
    if (content === undefined) throw new Error('no such file')
    return content
  })
}

/** `line: path: message` of every fault. */
function faultsOf(text: string): readonly string[] {
  return read(text).faults.map(({ line, path, message }) => `${line}: ${path}: ${message}`)
}

const DATASETS = `version: 1
datasets:
  - { id: shop, account: acme }
  - { id: blog, account: acme }
  - { id: other, account: rival }
`

test('what is no YAML, too large or an alias bomb is a fault and never more', () => {
  expect(faultsOf('a: [1')[0]).toMatch(/^1: : this is not YAML: /)
  expect(faultsOf('a: 1\na: 2')[0]).toMatch(/^2: : this is not YAML: Map keys must be unique/)
  expect(faultsOf(`version: 1\n#${'x'.repeat(4 * 1024 * 1024)}`)).toEqual([
    '1: : the file is larger than 4 MB',
  ])
  const bomb = [...'bcdefgh'].reduce(
    (text, name, i) => `${text}${name}: &${name} [${Array(10).fill(`*${'abcdefgh'[i]}`).join(',')}]\n`,
    'a: &a [x,x]\n',
  )
  expect(faultsOf(bomb)[0]).toMatch('this YAML cannot be used: Excessive alias count')
})

test('an empty file, and one that is not a map', () => {
  expect(faultsOf('')).toEqual(['1: : must be an object, not empty'])
  expect(faultsOf('- 1')).toEqual(['1: : must be an object, not a list'])
  expect(faultsOf('{}')).toEqual(['1: : "version" is missing'])
  expect(faultsOf('version: 2')).toEqual(['1: version: must be 1'])
})

test('unknown names are faults at the name, with the one that was meant', () => {
  expect(
    faultsOf(`version: 1
datasest: []
datasets:
  - id: shop
    acount: acme
    privacy:
      IP: keep
    enrichments: { geoo: false, nothing_like_it: true }
`),
  ).toEqual([
    '2: datasest: "datasest" is not a setting here; did you mean "datasets"?',
    '4: datasets[0]: "account" is missing',
    '5: datasets[0].acount: "acount" is not a setting here; did you mean "account"?',
    '7: datasets[0].privacy.IP: "IP" is not a setting here; did you mean "ip"?',
    '8: datasets[0].enrichments.geoo: "geoo" is not a setting here; did you mean "geo"?',
    '8: datasets[0].enrichments.nothing_like_it: "nothing_like_it" is not a setting here',
  ])
})

test('hostile member names are names like any other', () => {
  expect(faultsOf('version: 1\n__proto__: { polluted: true }\nconstructor: 1')).toEqual([
    '2: __proto__: "__proto__" is not a setting here',
    '3: constructor: "constructor" is not a setting here',
  ])
  expect(({} as Record<string, unknown>).polluted).toBeUndefined()
})

test('values of the wrong form say what is right', () => {
  expect(
    faultsOf(`version: 1
datasets:
  - id: ../Shop
    account: acme
    unknown_events: reject_all
    privacy: { ip: truncat }
keys:
  - { id: k, dataset: shop, scope: writer, sha256: ABC }
subscriptions:
  - id: s
    account: acme
    datasets: []
    events: purchase
    topic: { partitions: 0, retention: 7 }
deliveries:
  - id: d
    account: acme
    datasets: [shop]
    format: orc
    bucket: My_Bucket
    prefix: ../up
    rotate: { rows: 1.5, bytes: 1TB, age: 1w }
`),
  ).toEqual([
    '3: datasets[0].id: must be 1 to 63 lower-case letters, digits and inner hyphens',
    '5: datasets[0].unknown_events: must be one of allow, flag, reject',
    '6: datasets[0].privacy.ip: must be one of keep, truncate, remove; did you mean "truncate"?',
    '8: keys[0].scope: must be one of write, read; did you mean "write"?',
    '8: keys[0].sha256: must be a SHA-256: 64 lower-case hexadecimal digits ("millrace key new" prints it)',
    '12: subscriptions[0].datasets: needs at least one entry; leave it out for all',
    '13: subscriptions[0].events: must be a list, not a text',
    '14: subscriptions[0].topic.partitions: must be at least 1',
    '14: subscriptions[0].topic.retention: must be a text, not a number',
    '19: deliveries[0].format: must be one of parquet, jsonl, csv',
    '20: deliveries[0].bucket: must be a bucket name: lower-case letters, digits, dots and hyphens',
    '22: deliveries[0].rotate.rows: must be a whole number, not a number',
    '22: deliveries[0].rotate.bytes: must be a whole number, or must be a size like 64KB, 128MB or 1GB',
    '22: deliveries[0].rotate.age: must be a duration like 30s, 5m, 12h or 7d',
  ])
})

test.each([
  'a',
  '-',
  'Shop',
  'shop_1',
  'shop.',
  'sh/op',
  'sh%2eop',
  'ｓｈｏｐ',
  'shop\\0',
  'con..',
  `${'x'.repeat(64)}`,
])('the name %j stands in topics and paths only when it is a plain word', (id) => {
  const faults = faultsOf(`version: 1\ndatasets:\n  - { id: "${id}", account: acme }`)
  expect(faults.length).toBe(id === 'a' ? 0 : 1)
})

test('references that lead nowhere, and accounts that are mixed', () => {
  expect(
    faultsOf(`${DATASETS}keys:
  - { id: k, dataset: shopp, scope: read, sha256: ${'a'.repeat(64)} }
schemas:
  - { dataset: blgo, event: view, json_schema: {} }
subscriptions:
  - { id: s, account: acme, datasets: [shop, other, shop] }
deliveries:
  - { id: d, account: acme, datasets: [nothing], format: csv }
`),
  ).toEqual([
    '7: keys[0].dataset: there is no dataset "shopp" in this file; did you mean "shop"?',
    '9: schemas[0].dataset: there is no dataset "blgo" in this file; did you mean "blog"?',
    '11: subscriptions[0].datasets[1]: "other" belongs to account "rival", but this is for account "acme": accounts are never mixed',
    '11: subscriptions[0].datasets[2]: "shop" stands here twice',
    '13: deliveries[0].datasets[0]: there is no dataset "nothing" in this file',
  ])
})

test('ids, key hashes and schemas are unique', () => {
  const sha = 'a'.repeat(64)
  expect(
    faultsOf(`version: 1
datasets: [{ id: shop, account: acme }, { id: shop, account: acme }]
keys:
  - { id: k, dataset: shop, scope: read, sha256: ${sha} }
  - { id: k, dataset: shop, scope: read, sha256: ${sha} }
schemas:
  - { dataset: shop, event: a, json_schema: {} }
  - { dataset: shop, event: a, json_schema: {} }
`),
  ).toEqual([
    '2: datasets[1].id: datasets[0] has the same id',
    '5: keys[1].id: keys[0] has the same id',
    '5: keys[1].sha256: keys[0] has the same sha256',
    '8: schemas[1].event: shop has a schema for this event already: schemas[0]',
  ])
})

test('a filter, mask, key and template are read, and a caret shows the place', () => {
  const { faults } = read(`${DATASETS}subscriptions:
  - id: s
    account: acme
    datasets: [shop]
    where: brwoser = 'x'
    key: properties
    fields: { include: [event, evnet], exclude: ["properties.a b"] }
deliveries:
  - { id: d, account: acme, datasets: [shop], format: csv, compression: lz4, partition_by: "dt={landed:yyyy-mm}" }
  - { id: e, account: acme, datasets: [shop], format: csv, source: rejected, where: "code = 'too_large' and url is null" }
`)
  expect(faults.map((fault) => showConfigFault('m.yaml', fault))).toEqual([
    `m.yaml:10:12  subscriptions[0].where: there is no column "brwoser"; did you mean "browser"?\n    brwoser = 'x'\n    ^`,
    'm.yaml:11:10  subscriptions[0].key: properties holds more than one value and cannot be a key.',
    'm.yaml:12:13  subscriptions[0].fields: takes either include or exclude, not both.',
    'm.yaml:12:32  subscriptions[0].fields.include[1]: there is no column "evnet"; did you mean "event"?\n    evnet\n    ^',
    'm.yaml:12:50  subscriptions[0].fields.exclude[0]: the name of one value ends here.\n    properties.a b\n                 ^',
    'm.yaml:14:73  deliveries[0].compression: CSV files are compressed with gzip, zstd or brotli, not with lz4.',
    'm.yaml:14:92  deliveries[0].partition_by: the format of {landed} is made of yyyy, MM, dd, HH and the separators _ . -.\n    dt={landed:yyyy-mm}\n       ^',
    `m.yaml:15:85  deliveries[1].where: there is no column "url".\n    code = 'too_large' and url is null\n                           ^`,
  ])
})

test('a JSON Schema compiles without asking anybody, from the file or from its own', () => {
  expect(
    faultsOf(`${DATASETS}schemas:
  - { dataset: shop, event: a, json_schema: { type: objekt } }
  - { dataset: shop, event: b, json_schema: { $ref: "http://169.254.169.254/latest" } }
  - { dataset: shop, event: c }
  - { dataset: shop, event: d, file: nowhere.json }
  - { dataset: shop, event: e, file: broken.json }
  - { dataset: shop, event: f, file: list.json }
  - { dataset: shop, event: g, file: good.json }
  - { dataset: shop, event: h, json_schema: { description: "${'x'.repeat(300_000)}" } }
  - { dataset: shop, event: i, json_schema: { $schema: "http://json-schema.org/draft-07/schema#", type: object } }
`).map((fault) => fault.slice(0, 90)),
  ).toEqual([
    '7: schemas[0].json_schema: this JSON Schema cannot be used: schema is invalid: data/type m',
    '8: schemas[1].json_schema: this JSON Schema cannot be used: $ref must be "#/…" within the ',
    '9: schemas[2]: needs either "json_schema" or "file"',
    '10: schemas[3].file: nowhere.json cannot be read: no such file',
    "11: schemas[4].file: broken.json is not JSON: Expected property name or '}' in JSON at pos",
    '12: schemas[5].file: list.json does not hold a JSON object',
    '14: schemas[7].json_schema: the JSON Schema has 300018 bytes; at most 262144 are allowed',
  ])
})

test('times and time zones are real ones', () => {
  expect(
    faultsOf(`version: 1
datasets: [{ id: shop, account: acme, timezone: Europe/Wien }]
keys: [{ id: k, dataset: shop, scope: read, sha256: ${'a'.repeat(64)}, expires_at: tomorrow }]
`),
  ).toEqual([
    '2: datasets[0].timezone: there is no IANA time zone "Europe/Wien"',
    '3: keys[0].expires_at: must be an ISO 8601 instant like 2027-01-31T00:00:00Z',
  ])
})

test('the example is right, and its demo keys are the ones its comments name', () => {
  const folder = join(import.meta.dirname, '../../../../examples')
  const text = readFileSync(join(folder, 'millrace.yaml'), 'utf8')
  const { records, faults } = readConfigFile(text, (path) => readFileSync(join(folder, path), 'utf8'))
  expect(faults).toEqual([])
  const counts = Object.entries(Object.groupBy(records, (record) => record.kind))
  expect(counts.map(([kind, of]) => `${of.length} ${kind}`)).toEqual([
    '2 dataset',
    '4 key',
    '3 schema',
    '3 subscription',
    '3 delivery',
  ])
  const commented = [...text.matchAll(/sha256: (\w+) # (mr_\w+)/g)]
  expect(commented).toHaveLength(4)
  for (const [, sha256, key = ''] of commented) expect(parseAccessKey(key)?.hash).toBe(sha256)
})
