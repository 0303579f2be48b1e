import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventByIdSql, eventPageSql } from '../../../services/query-api/events/event-query.ts'
import { breakdownValuesSql } from '../../../services/query-api/insights/breakdown-sql.ts'
import { trendSql } from '../../../services/query-api/insights/trend-sql.ts'
import { createBindings } from '../../../services/query-api/query/bindings.ts'
import {
  NO_FILTERS,
  OPERATORS,
  parsePropertyFilters,
} from '../../../services/query-api/query/property-filters.ts'
import { type TimeZone, timeZone } from '../../../services/query-api/query/zoned-time.ts'
import { traceSql } from '../../../services/query-api/trace/trace-query.ts'
import { shapeOf } from './statement-shape.ts'

const utc = timeZone('UTC') as TimeZone
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom(
    "' OR 1=1 --",
    "') UNION ALL SELECT 1 --",
    '`',
    '"',
    '\\',
    '{p0:String}',
    '\0',
    '%',
    '/*',
    "''",
  ),
)
/** Property names that have a column make other SQL; what that is must not depend on anything else. */
const plainKey = hostile.filter((key) => !/^(\$|utm_)/.test(key))

interface Values {
  dataset: string
  event: string
  distinctId: string
  filters: { key: string; value: string }[]
  breakdown: string
}

function statements(values: Values, operator: string): { texts: string[]; bound: unknown[] } {
  const filters = parsePropertyFilters(
    JSON.stringify(values.filters.map(({ key, value }) => ({ key, value, operator }))),
  )
  const made = [createBindings(), createBindings(), createBindings(), createBindings(), createBindings()]
  const none = new Set<string>()
  const frame = {
    dataset: values.dataset,
    zone: utc,
    nowMs: 3,
    fromMs: 1,
    toMs: 2,
    filters,
    samplingFactor: 0.5,
    groupTypeIndex: null,
    actorExpression: null,
    countsOnly: false,
    invalidPatterns: none,
    cohorts: new Map(),
    cohortNames: new Map(),
  }
  const series = {
    type: 'events' as const,
    id: values.event,
    name: 'n',
    customName: null,
    order: 0,
    steps: [{ event: values.event, filters: NO_FILTERS }],
    filters,
    math: 'dau',
    counts: { kind: 'dau' as const },
  }
  const selection = { ...values, personId: values.event, afterMs: 1, beforeMs: 2, filters, where: [] }
  const cursor = { eventTimeMs: 5, srcPartition: 1, srcOffset: 2 }
  const eventFrame = { zone: utc, nowMs: 3, invalidPatterns: none, cohorts: new Map() }
  const by = {
    by: 'properties' as const,
    owner: { of: 'person' as const, asOf: 'now' as const },
    keys: [values.breakdown],
    normalizeUrl: false,
    binCount: null,
    hidesOther: false,
    limit: 5,
  }
  const breakdown = { by, values: { values: [values.event], edges: null } }
  const texts = [
    eventPageSql(selection, { order: 'descending', limit: 5, offset: 0, cursor }, eventFrame, made[0]!),
    eventByIdSql(values.dataset, values.event, made[1]!),
    trendSql(frame, series, { startsMs: [1, 2], firstOnly: false, breakdown }, made[2]!),
    breakdownValuesSql(by, 5, [series], frame, made[3]!),
    traceSql('rejected_events', values.dataset, values.event, made[4]!),
  ]
  return {
    texts: texts.map(shapeOf),
    bound: made.flatMap(({ parameters }) => Object.values(parameters).flat()),
  }
}

test.each(OPERATORS)('with %s the text of every statement is the same whatever is asked for', (operator) => {
  const isNumeric = /^(gt|lt)/.test(operator)
  const isDate = operator.startsWith('is_date')
  const value = isNumeric
    ? fc.integer().map(String)
    : isDate
      ? fc.constantFrom('2026-01-01', '2026-05-05')
      : hostile
  const plain = { key: 'k', value: isDate ? '2026-02-02' : '1' }
  fc.assert(
    fc.property(
      fc.record({
        dataset: hostile,
        event: hostile,
        distinctId: hostile,
        filters: fc.array(fc.record({ key: plainKey, value }), { minLength: 2, maxLength: 2 }),
        breakdown: plainKey,
      }),
      (values) => {
        const { texts, bound } = statements(values, operator)
        const reference = statements(
          { dataset: 'd', event: 'e', distinctId: 'i', filters: [plain, plain], breakdown: 'b' },
          operator,
        )
        expect(texts).toEqual(reference.texts)
        for (const asked of [values.dataset, values.event, values.distinctId, values.breakdown])
          expect(bound).toContain(asked)
        for (const { key } of values.filters) expect(bound).toContain(key)
      },
    ),
    { numRuns: 100 },
  )
})

test('a filter with more parts, depth, length or expressions than allowed is refused', () => {
  const nested = (depth: number): unknown =>
    depth === 0 ? { key: 'a', value: 'b' } : { type: 'OR', values: [nested(depth - 1)] }
  const many = (n: number, over: object = {}) =>
    Array.from({ length: n }, () => ({ key: 'a', value: 'b', ...over }))
  const parse = (value: unknown) => parsePropertyFilters(JSON.stringify(value))
  expect(() => parse(nested(4))).not.toThrow()
  expect(() => parse(nested(5))).toThrow(/deep/)
  expect(() => parse(many(50))).not.toThrow()
  expect(() => parse(many(51))).toThrow(/50/)
  expect(() => parse(many(11, { operator: 'regex' }))).toThrow(/10/)
  expect(() => parse([{ key: 'a', value: Array(501).fill('x') }])).toThrow(/500/)
  expect(() => parse([{ key: 'x'.repeat(1001), value: 'b' }])).toThrow(/1000/)
  expect(() => parsePropertyFilters(' '.repeat(32_769))).toThrow(/32768/)
})
