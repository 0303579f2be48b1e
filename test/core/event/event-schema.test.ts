import { expect, test } from 'vitest'
import {
  compileEventSchema,
  EventSchemaError,
  VIOLATIONS_MAX,
} from '../../../services/core/event/event-schema.ts'
import { SCHEMA_FORMATS } from '../../../services/core/event/schema-formats.ts'

const violations = (schema: Record<string, unknown>, properties: Record<string, unknown>, bytes = 100) =>
  compileEventSchema(schema).violations(properties, bytes)

test('everything that is wrong with a small event is told, in the order of the schema', () => {
  const schema = {
    type: 'object',
    required: ['id'],
    additionalProperties: false,
    properties: {
      total: { type: 'number' },
      items: {
        type: 'array',
        uniqueItems: true,
        items: { type: 'object', properties: { sku: { pattern: '^[A-Z]+$' } } },
      },
      plan: { enum: ['free', 'paid'] },
    },
  }
  const event = { total: '5', items: [{ sku: 'a' }, { sku: 'a' }], plan: 'x', odd: 1 }
  expect(violations(schema, event)).toEqual([
    "properties: must have required property 'id'",
    'properties: must NOT have additional properties: "odd"',
    'properties.total: must be number',
    'properties.items[0].sku: must match pattern "^[A-Z]+$"',
    'properties.items[1].sku: must match pattern "^[A-Z]+$"',
    'properties.items: must not have equal items',
    'properties.plan: must be equal to one of the allowed values: ["free","paid"]',
  ])
  expect(violations(schema, event, 1_000_000)).toHaveLength(1)
})

test('nothing is coerced, filled in or removed', () => {
  const properties = { a: '1', extra: true }
  const schema = { properties: { a: { type: ['string', 'number'], default: 5 }, b: { default: 7 } } }
  expect(violations(schema, properties)).toEqual([])
  expect(properties).toEqual({ a: '1', extra: true })
  expect(violations({ properties: { a: { type: 'number' } } }, { a: '1' })).toHaveLength(1)
})

test('violations are cut', () => {
  const told = violations({ properties: { a: { items: { type: 'number' } } } }, { a: Array(100).fill('x') })
  expect(told).toHaveLength(VIOLATIONS_MAX + 1)
  expect(told.at(-1)).toBe('and 80 more')
  const long = violations({ additionalProperties: false }, { ['n'.repeat(1_000)]: 1 })
  expect(long[0]!.length).toBeLessThan(300)
})

test('both drafts are read, references within the schema too', () => {
  for (const [$schema, keyword] of [
    ['http://json-schema.org/draft-07/schema#', 'definitions'],
    ['https://json-schema.org/draft/2020-12/schema', '$defs'],
  ] as const) {
    const schema = {
      $schema,
      [keyword]: { n: { type: 'number' } },
      properties: { 'a/b': { $ref: `#/${keyword}/n` } },
    }
    expect(violations(schema, { 'a/b': 'x' })).toEqual(['properties.a/b: must be number'])
  }
  expect(violations({ properties: { a: { prefixItems: [{ type: 'number' }] } } }, { a: ['x'] })).toHaveLength(
    1,
  )
})

test.each([
  [{ type: 'strng' }, 'schema is invalid'],
  [{ minLenght: 1 }, 'unknown keyword: "minLenght"'],
  [{ properties: { a: { format: 'nope' } } }, 'unknown format "nope"'],
  [{ properties: { a: { $ref: '#' } } }, 'refers to itself'],
  [{ $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }, 'refers to itself'],
  [{ $ref: 'https://example.com/schema' }, 'within the schema'],
  [{ $ref: '#/$defs/none' }, 'names nothing'],
  [{ properties: { a: { $dynamicRef: '#x' } } }, '$dynamicRef is not supported'],
  [{ properties: { a: { $id: 'x' } } }, '$id is supported at the top only'],
  [{ properties: { a: { pattern: '(?=x)' } } }, 'look-around'],
  [{ patternProperties: { '(': {} } }, 'not closed'],
])('%j is refused', (schema, why) => {
  expect(() => compileEventSchema(schema)).toThrow(EventSchemaError)
  expect(() => compileEventSchema(schema)).toThrow(why)
})

test('references that fan out are counted as what they stand for', () => {
  const $defs: Record<string, unknown> = { d0: { type: 'number' } }
  for (let n = 1; n <= 40; n++)
    $defs[`d${n}`] = { anyOf: [{ $ref: `#/$defs/d${n - 1}` }, { $ref: `#/$defs/d${n - 1}` }] }
  expect(() => compileEventSchema({ $defs, properties: { a: { $ref: '#/$defs/d40' } } })).toThrow(
    'more than 5000 subschemas',
  )
})

test('hostile events meet hostile schemas without harm', () => {
  const schema = {
    properties: { text: { pattern: '^(a+)+$' }, list: { uniqueItems: true }, deep: {} },
    patternProperties: { '^(x*)*y$': { type: 'number' } },
  }
  const list = Array.from({ length: 50_000 }, (_, n) => ({ n }))
  expect(
    violations(schema, { text: `${'a'.repeat(60_000)}!`, list, ['x'.repeat(200)]: 'z' }, 1_000_000),
  ).toHaveLength(1)
  // Longer than its pattern may be walked over: counts as no match.
  expect(violations({ properties: { a: { pattern: 'a' } } }, { a: 'a'.repeat(1_000_000) })).toHaveLength(1)
})

test.each([
  ['date', ['2026-02-28', '2024-02-29'], ['2026-02-29', '2026-2-1', '2026-13-01', '20260101', '']],
  [
    'date-time',
    ['2026-01-31T10:00:00Z', '2026-01-31t10:00:00.123+02:00'],
    ['2026-01-31', '2026-01-31T10:00:00', '2026-01-31T25:00:00Z', '2026-02-30T10:00:00Z', ''],
  ],
  ['time', ['10:00:00Z', '23:59:60Z'], ['24:00:00Z', '10:00Z', '10:00:00']],
  [
    'email',
    ['a@b.c', 'first.last+tag@example.co.uk', 'a@localhost'],
    ['a', '@b.c', 'a@', 'a@@b.c', 'a b@c.d', '.a@b.c', 'a..b@c.d', 'a@-b.c', `${'a'.repeat(65)}@b.c`],
  ],
  [
    'uri',
    ['https://a.b/c?d#e', 'mailto:a@b.c', 'urn:x:y'],
    ['/a', 'a b:c', 'https://a b', '//a', 'http:', ''],
  ],
  ['uri-reference', ['/a?b', 'https://a', ''], ['a b', '<x>']],
  ['hostname', ['a', 'a-b.example'], ['-a', 'a..b', 'a_b', '']],
  ['ipv4', ['1.2.3.4', '255.255.255.255'], ['256.1.1.1', '1.2.3', '01.2.3.4a']],
  ['ipv6', ['::1', '2001:db8::'], ['1.2.3.4', ':::', 'x::']],
  ['uuid', ['123e4567-e89b-12d3-a456-426614174000'], ['123e4567e89b12d3a456426614174000']],
] as const)('format %s', (format, right, wrong) => {
  for (const text of right) expect([text, SCHEMA_FORMATS[format]!(text)]).toEqual([text, true])
  for (const text of wrong) expect([text, SCHEMA_FORMATS[format]!(text)]).toEqual([text, false])
})
