/** What a function takes and what becomes of it. */
export interface SqlFunction {
  readonly name: string
  /** `aggregate` ones also stand before OVER, `window` ones only there. */
  readonly kind: 'scalar' | 'aggregate' | 'window'
  readonly argsMin: number
  readonly argsMax: number
  /** Of `quantile(0.9)(x)` those in the first brackets: numbers. */
  readonly parametersMax: number
  /** Of its value, where that is sure. */
  readonly type: SqlType
  /** ClickHouse's name, where it is another one. */
  readonly engine: string
  /** Arguments that are read as numbers where they are properties. */
  readonly takesNumbers: boolean
}

/** What is known of a value before it is there: enough to read properties and times as what they are compared with. */
export type SqlType = 'text' | 'number' | 'time' | 'json' | 'property' | 'unknown'

/**
 * Every function of the query language: name, fewest and most arguments, and what else there is to say. What is not here
 * cannot be called, whatever ClickHouse knows: nothing reaches files, networks, other tables, dictionaries or the
 * server's own state, and nothing sleeps.
 */
const SCALARS = {
  text: `lower 1 1, upper 1 1, lowerUTF8 1 1, upperUTF8 1 1, trim 1 1 trimBoth, concat 1 20, substring 2 3, reverse 1 1,
    replace 3 3 replaceAll, replaceOne 3 3, replaceAll 3 3, replaceRegexpOne 3 3, replaceRegexpAll 3 3, extract 2 2, toString 1 1,
    left 2 2, right 2 2, domain 1 1, domainWithoutWWW 1 1, topLevelDomain 1 1, protocol 1 1, path 1 1, cutQueryString 1 1,
    cutFragment 1 1, extractURLParameter 2 2, JSONExtractString 1 5, JSONExtractRaw 1 5, arrayStringConcat 1 2,
    formatDateTime 2 2, toTypeName 1 1, base64Encode 1 1, hex 1 1`,
  number: `length 1 1, lengthUTF8 1 1, position 2 2, positionCaseInsensitive 2 2 positionCaseInsensitiveUTF8, round 1 2,
    floor 1 2, ceil 1 2, abs 1 1, sign 1 1, sqrt 1 1, exp 1 1, ln 1 1 log, log 1 1, log2 1 1, log10 1 1, pow 2 2, power 2 2 pow, intDiv 2 2,
    modulo 2 2, countSubstrings 2 2, toYear 1 1, toQuarter 1 1, toMonth 1 1, toDayOfMonth 1 1, toDayOfWeek 1 1,
    toDayOfYear 1 1, toHour 1 1, toMinute 1 1, toSecond 1 1, toUnixTimestamp 1 1, toYYYYMM 1 1, toYYYYMMDD 1 1, toISOWeek 1 1,
    toISOYear 1 1, cityHash64 1 10, indexOf 2 2, arraySum 1 2, arrayCount 1 2, arrayAvg 1 2, JSONExtractInt 1 5, JSONExtractFloat 1 5,
    JSONExtractUInt 1 5, JSONLength 1 5, levenshteinDistance 2 2`,
  time: `toStartOfYear 1 1, toStartOfQuarter 1 1, toStartOfMonth 1 1, toMonday 1 1, toStartOfWeek 1 2, toStartOfDay 1 1,
    toStartOfHour 1 1, toStartOfFifteenMinutes 1 1, toStartOfFiveMinutes 1 1, toStartOfMinute 1 1, toStartOfSecond 1 1,
    toStartOfInterval 2 2, addSeconds 2 2, addMinutes 2 2, addHours 2 2, addDays 2 2, addWeeks 2 2, addMonths 2 2, addYears 2 2,
    subtractDays 2 2, subtractHours 2 2, subtractMonths 2 2`,
  unknown: `if 3 3, multiIf 3 99, ifNull 2 2, coalesce 1 20, nullIf 2 2, isNull 1 1, isNotNull 1 1, greatest 2 20,
    least 2 20, empty 1 1, notEmpty 1 1, startsWith 2 2, endsWith 2 2, match 2 2, like 2 2, ilike 2 2, not 1 1,
    splitByChar 2 2, splitByString 2 2, isNaN 1 1, isFinite 1 1, isInfinite 1 1, has 2 2, hasAny 2 2, hasAll 2 2, array 0 99, tuple 1 20,
    tupleElement 2 2, arrayElement 2 2, arrayMap 2 4, arrayFilter 2 4, arrayExists 2 4, arrayAll 2 4, arraySort 1 2,
    arrayReverseSort 1 2, arrayReverse 1 1, arrayDistinct 1 1, arrayUniq 1 1, arrayConcat 1 10, arraySlice 2 3, arrayJoin 1 1,
    arrayMin 1 2, arrayMax 1 2, arrayZip 2 5, arrayEnumerate 1 1, arrayFirst 2 2, arrayLast 2 2, range 1 3, JSONHas 1 5,
    JSONExtractBool 1 5, JSONExtractKeys 1 5, JSONExtractArrayRaw 1 5, JSONType 1 5`,
} as const

const AGGREGATES = {
  number: `count 0 1, countIf 1 2, uniq 1 5, uniqIf 2 5, uniqExact 1 5, uniqExactIf 2 5, sum 1 1 +, sumIf 2 2 +, avg 1 1 +, avgIf 2 2 +,
    median 1 1 +, medianIf 2 2 +, quantile 1 1 + 1, quantileIf 2 2 + 1, quantileExact 1 1 + 1, stddevPop 1 1 +, stddevSamp 1 1 +,
    varPop 1 1 +, varSamp 1 1 +, corr 2 2 +, skewPop 1 1 +, kurtPop 1 1 +`,
  unknown: `min 1 1, minIf 2 2, max 1 1, maxIf 2 2, any 1 1, anyIf 2 2, anyLast 1 1, argMin 2 2, argMinIf 3 3, argMax 2 2, argMaxIf 3 3,
    groupArray 1 1 . 1, groupArrayIf 2 2 . 1, groupUniqArray 1 1 . 1, topK 1 1 . 1, quantiles 1 1 + 9`,
} as const

const WINDOWS = {
  number: 'row_number 0 0, rank 0 0, dense_rank 0 0',
  unknown: `lag 1 3, lead 1 3, first_value 1 1, last_value 1 1, nth_value 2 2`,
} as const

function declared(kind: SqlFunction['kind'], lists: Partial<Record<SqlType, string>>): SqlFunction[] {
  return Object.entries(lists).flatMap(([type, list]) =>
    list.split(',').map((entry) => {
      const [name = '', argsMin, argsMax, extra, parametersMax] = entry.trim().split(/\s+/)
      return {
        name,
        kind,
        argsMin: Number(argsMin),
        argsMax: Number(argsMax),
        parametersMax: Number(parametersMax ?? 0),
        type: type as SqlType,
        engine: extra !== undefined && /^\w+$/.test(extra) ? extra : name,
        takesNumbers: extra === '+',
      }
    }),
  )
}

/** Functions that are made of others: see `special-functions.ts`. */
const SPECIALS = {
  number: 'toInt 1 1, toFloat 1 1, dateDiff 3 3',
  time: 'now 0 0, today 0 0, yesterday 0 0, toDate 1 1, toDateTime 1 1, toTimeZone 2 2, dateTrunc 2 2',
} as const

export const SQL_FUNCTIONS: readonly SqlFunction[] = [
  ...declared('scalar', SCALARS),
  ...declared('scalar', SPECIALS),
  ...declared('aggregate', AGGREGATES),
  ...declared('window', WINDOWS),
]

/** Names that other dialects and product-analytics clients use. */
const SYNONYMS: Readonly<Record<string, string>> = {
  date_trunc: 'dateTrunc',
  date_diff: 'dateDiff',
  tofloat64: 'toFloat',
  toint64: 'toInt',
  substr: 'substring',
  ceiling: 'ceil',
  datediff: 'dateDiff',
  count_distinct: 'uniqExact',
  any_value: 'any',
  current_timestamp: 'now',
  stddev: 'stddevSamp',
  char_length: 'lengthUTF8',
}

const BY_NAME: ReadonlyMap<string, SqlFunction> = new Map(
  SQL_FUNCTIONS.map((each) => [each.name.toLowerCase(), each]),
)

/** In any case, as people write SQL. */
export function findFunction(name: string): SqlFunction | null {
  const lower = name.toLowerCase()
  return BY_NAME.get((SYNONYMS[lower] ?? lower).toLowerCase()) ?? null
}

export const FUNCTION_NAMES: readonly string[] = SQL_FUNCTIONS.map(({ name }) => name)
