import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import { type FilterRecord, filterPredicate } from '../../../services/core/event/filter-evaluator.ts'
import {
  FILTER_LIMITS,
  type Filter,
  FilterError,
  type FilterLiteral,
  type FilterPath,
  showFilterFault,
} from '../../../services/core/event/filter-expression.ts'
import { parseFilter } from '../../../services/core/event/filter-parser.ts'
import { printFilter } from '../../helpers/print-filter.ts'

const parse = (text: string): Filter => parseFilter(text, ENRICHED_EVENT_FIELDS)

function faultOf(text: string): string {
  try {
    parse(text)
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    return `${error.fault.message}\n${showFilterFault(text, error.fault)}`
  }
  return 'no fault'
}

describe('a fault names its place', () => {
  test.each([
    ['', 'there is nothing here', 0],
    ['brwoser = 1', 'there is no column "brwoser"; did you mean "browser"?', 0],
    ['browser == 1', 'a value is missing after "="', 9],
    ["browser = 'Firefox", 'this text has no closing quote', 10],
    ['browser = Firefox', 'a value is missing after "="; is Firefox a text without quotes?', 10],
    ['browser = 5', 'browser is a text, but the value is a number', 10],
    ['is_bot < true', 'true and false have no order, so "<" cannot compare them', 7],
    ['is_bot', 'an operator is missing after is_bot, for example "= true"', 6],
    [
      "event_time > 'yesterday'",
      "event_time is a timestamp: write it like '2026-01-31' or '2026-01-31T23:59:59.123Z'",
      13,
    ],
    ["content_tags = 'x'", 'content_tags is a list of texts; "=" compares single values', 13],
    ["properties = 'x'", 'properties is an object; "=" compares single values', 11],
    ["browser.name = 'x'", 'browser is a text and has no members', 7],
    ['screen_width contains 1', '"contains" looks for a text, in quotes', 22],
    ["screen_width contains '1'", 'screen_width is a number; "contains" looks into texts', 13],
    ["browser contains ''", '"contains" needs at least one character', 17],
    ["(browser = 'a'", '")" is missing for the "(" at character 1', 14],
    ["browser = 'a')", 'this ")" closes nothing', 13],
    ["browser = 'a' browser = 'b'", '"and" or "or" is missing before this', 14],
    ["browser = 'a' and", 'a condition is missing at the end', 17],
    ["browser = 'a' && os = 'b'", 'write "and" instead of "&&"', 14],
    ["browser ~ 'a.*'", 'there are no regular expressions; use contains, starts with or ends with', 8],
    ['browser = null', 'null is compared with "is null" or "is not null"', 10],
    ['browser is no null', '"null" is missing after "is"', 11],
    ["browser starts 'a'", '"with" is missing after "starts"', 15],
    [
      'properties.a = 9007199254740992',
      'a number is at most 9007199254740991: larger ones are not exact in JSON',
      15,
    ],
    ['properties.a = 1e400', 'a number is at most 9007199254740991: larger ones are not exact in JSON', 15],
    ['properties.a = 5px', 'a number ends where a letter begins; is a quote missing?', 16],
    ['properties. = 1', 'a name is missing after "."; odd names are written [\'like this\']', 12],
    ['browser in ()', 'a value is missing after "in"', 12],
    ["browser = 'a'\n  and os = ", 'a value is missing after "="', 25],
  ] as const)('%j', (text, message, position) => {
    const error = (() => {
      try {
        return parse(text)
      } catch (thrown) {
        return thrown
      }
    })()
    expect(error).toBeInstanceOf(FilterError)
    expect((error as FilterError).fault).toEqual({ message, position })
  })

  test('the caret stands under the place, in the line it belongs to', () => {
    expect(faultOf("browser = 'a'\n\tand os = ?")).toBe(
      'this character has no meaning here\n and os = ?\n          ^',
    )
  })

  test('every limit is exact', () => {
    const nested = (levels: number) => `${'('.repeat(levels)}os is null${')'.repeat(levels)}`
    expect(faultOf(nested(FILTER_LIMITS.depth - 1))).toBe('no fault')
    expect(faultOf(nested(FILTER_LIMITS.depth))).toMatch('at most 32 levels deep')
    expect(faultOf(`${'not '.repeat(FILTER_LIMITS.depth)}os is null`)).toMatch('at most 32 levels deep')
    const list = (items: number) => `properties.n in (${Array(items).fill('1').join(',')})`
    expect(faultOf(list(FILTER_LIMITS.listItems))).toBe('no fault')
    expect(faultOf(list(FILTER_LIMITS.listItems + 1))).toMatch('at most 500 values')
    const path = (names: number) => `properties${'.a'.repeat(names - 1)} is null`
    expect(faultOf(path(FILTER_LIMITS.pathSegments))).toBe('no fault')
    expect(faultOf(path(FILTER_LIMITS.pathSegments + 1))).toMatch('at most 16 names')
    const long = (length: number) => `os = '${'x'.repeat(length - 7)}'`
    expect(faultOf(long(FILTER_LIMITS.length))).toBe('no fault')
    expect(faultOf(long(FILTER_LIMITS.length + 1))).toMatch('at most 4096 characters')
  })

  test('any text at all either parses or is a fault inside it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), filterish()), (text) => {
        try {
          parse(text)
        } catch (error) {
          expect(error).toBeInstanceOf(FilterError)
          const { position } = (error as FilterError).fault
          expect(position).toBeGreaterThanOrEqual(0)
          expect(position).toBeLessThanOrEqual(text.length)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('missing, null and mixed values', () => {
  const event = JSON.parse(
    '{"event":"purchase","browser":null,"is_bot":false,"content_tags":["a","b"],"properties":{"n":5,"t":"5","z":null,"l":[1,"x"],"o":{"p":1},"a.b":1,"in":2,"":3,"__proto__":{"x":1}}}',
  )
  test.each([
    ["browser = 'x'", false],
    ["browser != 'x'", true],
    ["not browser = 'x'", true],
    ['browser is null', true],
    ['properties.z is null', true],
    ['properties.missing is null', true],
    ['properties.missing is not null', false],
    ['properties.missing < 5 or properties.missing >= 5', false],
    ['properties.n = 5', true],
    ["properties.n = '5'", false],
    ["properties.t = '5' and properties.t != 5", true],
    ['properties.t > 4', false],
    ['properties.o = 1', false],
    ['properties.o.p = 1', true],
    ['properties.l.length is null', true],
    ['properties.l contains 1', true],
    ["properties.l contains '1'", false],
    ["properties.l contains 'x'", true],
    ["content_tags contains 'a'", true],
    ["content_tags not contains 'a'", false],
    ["properties['a.b'] = 1", true],
    ['properties["in"] = 2 and properties.in = 2', true],
    ["properties[''] = 3", true],
    ["event in ('view', 'purchase') and event not in ('x')", true],
    ["event STARTS WITH 'pur' AND event Ends With 'se'", true],
    ["event not starts with 'Pur'", true],
    ['is_bot = false and is_bot != true', true],
    ["event = 'purchase' or event = 'x' and event = 'y'", true],
    ["(event = 'purchase' or event = 'x') and event = 'y'", false],
    ['properties.__proto__.x = 1', true],
    ['properties.constructor is null and properties.toString is null', true],
    ['properties.o.__proto__ is null', true],
    ["browser is null and event > 'p' and event <= 'purchase'", true],
  ] as const)('%s is %s', (text, expected) => {
    expect(filterPredicate(parse(text))(event)).toBe(expected)
  })

  test('a quote inside a text is written twice', () => {
    expect(parse(`event = 'it''s "so"'`)).toEqual(parse(`event = "it's ""so"""`))
  })
})

test('a printed filter reads back as the same tree', () => {
  fc.assert(
    fc.property(anyFilter(), (filter) => {
      const text = printFilter(filter)
      fc.pre(text.length <= FILTER_LIMITS.length)
      expect(parse(text)).toEqual(filter)
    }),
    { numRuns: 1000 },
  )
})

test('the compiled predicate agrees with a slow reading of the rules', () => {
  fc.assert(
    fc.property(anyFilter(), anyRecord(), (filter, record) => {
      expect(filterPredicate(filter)(record)).toBe(reference(filter, record))
    }),
    { numRuns: 2000 },
  )
})

/** The rules of docs/filters.md once more, written for the eye only. */
function reference(filter: Filter, record: FilterRecord): boolean {
  if (filter.kind === 'and' || filter.kind === 'or') {
    const answers = filter.terms.map((term) => reference(term, record))
    return filter.kind === 'and' ? !answers.includes(false) : answers.includes(true)
  }
  if (filter.kind === 'not') return !reference(filter.term, record)
  let value: unknown = record
  for (const name of filter.path) {
    const members = new Map(isObject(value) ? Object.entries(value) : [])
    value = members.get(name) ?? null
  }
  if (filter.kind === 'null') return value === null
  const same = (a: unknown, b: FilterLiteral) => typeof a === typeof b && a === b
  if (filter.kind === 'in') return filter.values.some((literal) => same(value, literal))
  const literal = filter.value
  if (filter.kind === 'match') {
    if (filter.operator === 'contains' && Array.isArray(value))
      return value.some((item) => same(item, literal))
    if (typeof value !== 'string' || typeof literal !== 'string') return false
    const places = [...Array(value.length + 1).keys()].filter(
      (at) => value.slice(at, at + literal.length) === literal,
    )
    if (filter.operator === 'contains') return places.length > 0
    return places.includes(filter.operator === 'starts with' ? 0 : value.length - literal.length)
  }
  if (filter.operator === '=') return same(value, literal)
  if (filter.operator === '!=') return !same(value, literal)
  if (typeof value !== typeof literal) return false
  const order = (value as number) < (literal as number) ? -1 : same(value, literal) ? 0 : 1
  return { '<': order < 0, '<=': order <= 0, '>': order > 0, '>=': order >= 0 }[filter.operator]
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function names() {
  return fc.constantFrom('a', 'b', '$c', 'odd key', "it's", '', '__proto__', 'constructor', 'toString', 'not')
}

function literals(): fc.Arbitrary<FilterLiteral> {
  return fc.oneof(
    fc.constantFrom<FilterLiteral[]>('', 'a', 'ab', 'b', "'", 0, 1, -1, 0.5, true, false),
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.double({ min: -9e15, max: 9e15, noNaN: true }).map((value) => value + 0),
  )
}

function anyFilter(): fc.Arbitrary<Filter> {
  const path = fc
    .array(names(), { minLength: 1, maxLength: 3 })
    .map((members): FilterPath => ['properties', ...members])
  const ordered = literals().filter((literal) => typeof literal !== 'boolean')
  const condition: fc.Arbitrary<Filter> = fc.oneof(
    fc.record({
      kind: fc.constant('compare'),
      path,
      operator: fc.constantFrom('=', '!='),
      value: literals(),
    }),
    fc.record({
      kind: fc.constant('compare'),
      path,
      operator: fc.constantFrom('<', '<=', '>', '>='),
      value: ordered,
    }),
    fc.record({
      kind: fc.constant('in'),
      path,
      values: fc.array(literals(), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('match'), path, operator: fc.constant('contains'), value: literals() }),
    fc.record({
      kind: fc.constant('match'),
      path,
      operator: fc.constantFrom('starts with', 'ends with'),
      value: fc.string({ minLength: 1, maxLength: 2 }),
    }),
    fc.record({ kind: fc.constant('null'), path }),
  ) as fc.Arbitrary<Filter>
  return fc.letrec<{ filter: Filter }>((tie) => ({
    filter: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      condition,
      fc.record({
        kind: fc.constantFrom('and', 'or'),
        terms: fc.array(tie('filter'), { minLength: 2, maxLength: 3 }),
      }) as fc.Arbitrary<Filter>,
      fc.record({ kind: fc.constant('not'), term: tie('filter') }) as fc.Arbitrary<Filter>,
    ),
  })).filter
}

/** Events as JSON.parse makes them, with members of every name that a filter above may ask for. */
function anyRecord(): fc.Arbitrary<FilterRecord> {
  const value = fc.oneof(literals(), fc.constant(null), fc.array(literals(), { maxLength: 3 }))
  const level = (inner: fc.Arbitrary<unknown>) =>
    fc
      .array(fc.tuple(names(), inner), { maxLength: 10 })
      .map((members) =>
        JSON.parse(`{${members.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(',')}}`),
      )
  return level(fc.oneof(value, level(fc.oneof(value, level(value))))).map((properties) => ({ properties }))
}

/** Texts made of the language's own pieces in any order. */
function filterish(): fc.Arbitrary<string> {
  const piece = fc.constantFrom(
    'properties',
    '.',
    '[',
    ']',
    "'a'",
    '"b"',
    '1',
    '-2.5e3',
    '=',
    '!=',
    '<',
    '(',
    ')',
    ',',
    'and',
    'or',
    'not',
    'in',
    'contains',
    'starts',
    'with',
    'is',
    'null',
    'true',
    'browser',
    'is_bot',
    '\n',
    'é',
  )
  return fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(' '))
}
