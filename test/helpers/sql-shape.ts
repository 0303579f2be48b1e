import { ENRICHED_EVENT_FIELDS } from '../../schemas/enriched-event/v1.ts'
import { REJECTED_EVENT_FIELDS } from '../../schemas/rejected-event/v1.ts'
import { DERIVED_COLUMNS } from '../../services/query-api/query/stored-events.ts'
import { SQL_FUNCTIONS } from '../../services/query-api/sql/functions.ts'
import { STORED_TABLES } from '../../services/query-api/sql/views.ts'

/** Words of our own statements, apart from names that the compiler makes up. Nothing of a caller's text is among them. */
const WORDS = new Set([
  ...(
    'SELECT FROM WHERE GROUP BY HAVING ORDER LIMIT OFFSET WITH AS UNION ALL DISTINCT AND OR NOT IN ASC DESC NULLS FIRST LAST ON ' +
    'INNER LEFT RIGHT FULL CROSS JOIN ANY ASOF OVER PARTITION ROWS BETWEEN UNBOUNDED PRECEDING FOLLOWING CURRENT ROW NULL'
  ).split(' '),
  ...(
    'true false inf equals notEquals less lessOrEquals greater greaterOrEquals like ilike notLike notILike plus minus multiply divide modulo ' +
    'negate not in isNull isNotNull multiIf if ifNull accurateCastOrNull toTimeZone fromUnixTimestamp64Milli toUnixTimestamp64Milli ' +
    'parseDateTime64BestEffortOrNull toDate toInterval uniqExact tupleElement SHA1 unhex hex lower char concat substring position ' +
    'startsWith length arrayElement sipHash64 JSONHas JSONType JSONExtractString JSONExtractRaw argMax argMin arrayJoin cityHash64 positionCaseInsensitiveUTF8 match has toFloat64OrNull count'
  ).split(' '),
  ...(
    'the_person person_hash moved_hash override_hash then_properties then_id then_from then_owner then_key state_key state_from state_properties newest_key newest_properties ' +
    'newest_created_at now_properties now_created_at toNullable toValidUTF8 override_id override_key owner_key happened overrides arrived owners owned states done people person_key version ' +
    'is_deleted created_at properties valid_from group_type_index group_type group_key distinct_id dataset_id set set_once event_time_ms ' +
    'cursor_time_ms cursor_partition cursor_offset session_key session_value element person'
  ).split(' '),
  // Of recordings.
  ...(
    'recorded_session recording_value id owner started ended duration active_seconds click_count keypress_count console_log_count ' +
    'console_warn_count console_error_count start_url first_time last_time clicks keypresses active first_url console_logs console_warns ' +
    'console_errors gap arrayDifference arraySort groupUniqArrayArray arraySum arrayFilter argMinIf min max sum toString'
  ).split(' '),
  // Of warnings.
  ...'warned total last_ms at_ms distinct_text other_text client_text told reason change other_person_key substringUTF8 arraySlice isNotNull'.split(
    ' ',
  ),
  ...REJECTED_EVENT_FIELDS.map(({ name }) => name),
  ...ENRICHED_EVENT_FIELDS.map(({ name }) => name),
  ...DERIVED_COLUMNS,
  ...SQL_FUNCTIONS.map(({ engine }) => engine),
  ...STORED_TABLES,
])
const MADE_UP = /^[cfqtx]\d+$/
const INTERVAL = /^toInterval(Second|Minute|Hour|Day|Week|Month|Quarter|Year)$/
/** Texts that stand in our own statements. */
const TEXTS = new Set([
  "'$elements'",
  "'$el_text'",
  "''",
  "'UTC'",
  "'null'",
  "'\"'",
  "'Float64'",
  "'Int64'",
  "'Bool'",
  "'true'",
  "'false'",
  "'5'",
  "'-'",
  "'89ab'",
  "'0123456789abcdef'",
  "'6d1c2f1e9a0b4b7e8f3a52c7d90e41aa'",
  "'$pageview'",
  "'page_view'",
  "'$autocapture'",
])
const TOKEN =
  /\s+|\{p\d+:[A-Za-z0-9()]+\}|'[^'\\]*'|`set`|[A-Za-z_]\w*|\d+(?:\.\d+)?|->|<=|>=|!=|[-+*/%=<>(),.]/y

/** The tokens of a statement of ours. @throws Error for anything that none of ours has */
export function statementTokens(sql: string): string[] {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < sql.length) {
    const at = TOKEN.lastIndex
    const [token] = TOKEN.exec(sql) ?? []
    if (token === undefined) throw new Error(`No token of ours stands at ${at} of: ${sql}`)
    if (token.trim() !== '') tokens.push(token)
  }
  for (const token of tokens) {
    const isWord = /^[A-Za-z_]/.test(token)
    if (isWord && !WORDS.has(token) && !MADE_UP.test(token) && !INTERVAL.test(token))
      throw new Error(`"${token}" is no word of ours in: ${sql}`)
    if (token.startsWith("'") && !TEXTS.has(token)) throw new Error(`${token} is no text of ours in: ${sql}`)
  }
  return tokens
}

/**
 * Every table of the store that a statement reads is read with the condition on the dataset, as the first of its WHERE.
 *
 * @returns how many there are
 * @throws Error for one without it
 */
export function restrictedTables(
  sql: string,
  parameters: Readonly<Record<string, unknown>>,
  dataset: string,
): number {
  const tokens = statementTokens(sql)
  const stored = new Set<string>(STORED_TABLES)
  let count = 0
  tokens.forEach((token, at) => {
    const isSource = token === 'FROM' || token === 'JOIN'
    const next = tokens[at + 1] as string
    if (!isSource || next === '(') return
    if (/^q\d+$/.test(next)) return
    if (!stored.has(next)) throw new Error(`"${next}" is read in: ${sql}`)
    const [where, column, equals, bound] = tokens.slice(at + 2, at + 6)
    const value = parameters[/^\{(p\d+):String\}$/.exec(bound ?? '')?.[1] ?? '']
    if (where !== 'WHERE' || column !== 'dataset_id' || equals !== '=' || value !== dataset)
      throw new Error(`${next} is read of another dataset in: ${sql}`)
    // What follows narrows it down: no OR may stand on the level of the condition.
    let depth = 0
    for (const word of tokens.slice(at + 6)) {
      if (word === '(') depth++
      else if (word === ')' && depth-- === 0) break
      else if (depth === 0 && ['GROUP', 'ORDER', 'LIMIT', 'HAVING', 'UNION'].includes(word)) break
      else if (depth === 0 && word === 'OR') throw new Error(`OR stands beside the dataset in: ${sql}`)
    }
    count++
  })
  return count
}

/** A statement without the numbers of its placeholders: two of one shape are equal. */
export function shapeOf(sql: string): string {
  // Which of these columns has a property follows from its name.
  return sql.replace(/\{p\d+:/g, '{p:').replace(/\bproperties_[0-7]\b/g, 'properties_n')
}
