import { DialectError } from './dialect-error.ts'
import { sqlString, sqlTokens, type Token } from './sql-tokens.ts'

/** What the front needs to know of a statement before the engine sees it. */
export interface Statement {
  readonly sql: string
  /** Readers run `read`, writers `write`; `kill` is the front's own business. A wrong guess is harmless: readers cannot write. */
  readonly kind: 'read' | 'write' | 'kill'
  /** Whether its result can be had piece by piece; the engine does that for SELECT only. */
  readonly selects: boolean
  /** Format that the statement itself names; null when it does not. */
  readonly format: string | null
  /** An INSERT whose rows come after the statement, and nothing of them stands in its text. */
  readonly awaitsData: boolean
  readonly tokens: readonly Token[]
}

/** First words of statements that read. Everything else writes, or is refused by the engine. */
const READING = new Set([
  'SELECT',
  'WITH',
  'FROM',
  'SHOW',
  'DESC',
  'DESCRIBE',
  'EXISTS',
  'EXPLAIN',
  'SET',
  'USE',
  'CHECK',
])

/**
 * @param sql one statement, with or without a semicolon at its end
 * @throws DialectError 62 for text that is no single statement
 */
export function readStatement(sql: string): Statement {
  if (sql.includes('\0'))
    throw new DialectError(62, 'SYNTAX_ERROR', 'Syntax error: a NUL character in the query.')
  const tokens: Token[] = []
  let depth = 0
  let inserts = false
  let selects = false
  let format: string | null = null
  let dataFrom: number | null = null
  let ended = false
  let afterFormat = false
  for (const token of sqlTokens(sql)) {
    if (ended) throw new DialectError(62, 'SYNTAX_ERROR', 'Syntax error: multi-statements are not allowed.')
    if (token.kind === 'symbol' && '([{'.includes(token.text)) depth += 1
    if (token.kind === 'symbol' && ')]}'.includes(token.text)) depth -= 1
    if (token.kind === 'symbol' && token.text === ';') {
      ended = true
      continue
    }
    tokens.push(token)
    if (depth !== 0 || token.kind !== 'word') continue
    const word = token.text.toUpperCase()
    if (afterFormat) {
      format = token.text
      dataFrom = token.end
      break
    }
    if (word === 'INSERT' && !selects) inserts = true
    else if (word === 'SELECT') selects = true
    else if (word === 'FORMAT') afterFormat = inserts && !selects
    else if (word === 'VALUES' && inserts && !selects) {
      format = 'Values'
      dataFrom = token.end
      break
    }
  }
  const first = tokens[0]
  if (!first) throw new DialectError(62, 'SYNTAX_ERROR', 'Syntax error: the query is empty.')
  const word = first.kind === 'word' ? first.text.toUpperCase() : first.text
  format ??= trailingFormat(tokens)
  return {
    sql,
    selects: !inserts && ['SELECT', 'WITH', 'FROM', '('].includes(word),
    kind: word === 'KILL' ? 'kill' : !inserts && (READING.has(word) || word === '(') ? 'read' : 'write',
    format,
    awaitsData: dataFrom !== null && sql.slice(dataFrom).replace(/^[\s;]+$/, '') === '',
    tokens,
  }
}

/** `FORMAT Name` at the end of a query, or before its SETTINGS. */
function trailingFormat(tokens: readonly Token[]): string | null {
  for (let index = tokens.length - 1; index > 1; index--) {
    if (!isWord(tokens[index - 1], 'FORMAT') || tokens[index]?.kind !== 'word') continue
    const next = tokens[index + 1]
    return next === undefined || isWord(next, 'SETTINGS') ? (tokens[index]?.text ?? null) : null
  }
  return null
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === word
}

function isSymbol(token: Token | undefined, symbol: string): boolean {
  return token?.kind === 'symbol' && token.text === symbol
}

/**
 * Table functions that stay inside the database. Every other one of `system.table_functions`, also one that a later
 * engine brings, reaches files, the network or other servers.
 */
export const ALLOWED_TABLE_FUNCTIONS: ReadonlySet<string> = new Set(
  [
    'numbers',
    'numbers_mt',
    'zeros',
    'zeros_mt',
    'primes',
    'values',
    'null',
    'view',
    'generateRandom',
    'generateSeries',
    'generate_series',
    'format',
    'mergeTreeIndex',
    'mergeTreeProjection',
  ].map((name) => name.toLowerCase()),
)

/** The embedded engine mounts the file system as this database. Nobody gets to see it. */
export const FILE_SYSTEM_DATABASE = 'default'

/**
 * Refuses what a server's grants would refuse and the embedded engine has no users for: table functions that leave
 * the database, files by name, output into files.
 *
 * @param tableFunctions lower-case names of all table functions of the engine
 * @param parameters     values of `{name:Identifier}` placeholders may name a database too
 * @throws DialectError 497
 */
export function refuseOutside(
  statement: Statement,
  tableFunctions: ReadonlySet<string>,
  parameters: Readonly<Record<string, string>>,
): void {
  const { tokens } = statement
  const denied = (what: string) =>
    new DialectError(497, 'ACCESS_DENIED', `Not enough privileges. ${what} is not allowed here.`)
  tokens.forEach((token, index) => {
    const next = tokens[index + 1]
    const isName = token.kind === 'word' || token.kind === 'quoted_name'
    const name = token.text.toLowerCase()
    if (isName && isSymbol(next, '(') && tableFunctions.has(name) && !ALLOWED_TABLE_FUNCTIONS.has(name))
      throw denied(`Table function ${token.text}`)
    if (token.kind === 'quoted_name' && (token.text.includes('\\') || token.text.includes('/')))
      throw denied(`The name ${JSON.stringify(token.text)}`)
    if (isName && token.text === FILE_SYSTEM_DATABASE && isSymbol(next, '.'))
      throw denied(`Database ${FILE_SYSTEM_DATABASE}`)
    if (isWord(token, 'INFILE') || isWord(token, 'OUTFILE')) throw denied(`${token.text.toUpperCase()}`)
    if (isWord(token, 'Identifier'.toUpperCase()) && isSymbol(tokens[index - 1], ':')) {
      const value = parameters[tokens[index - 2]?.text ?? ''] ?? ''
      if (value === FILE_SYSTEM_DATABASE || /[/\\]/.test(value))
        throw denied(`The name ${JSON.stringify(value)}`)
    }
  })
}

/**
 * The same INSERT, its rows read from a file: the engine parses a file as a server parses a request's body, block by
 * block, where a text of the same size would be held several times over.
 */
export function withDataFrom(statement: Statement, path: string): string {
  const { sql, tokens } = statement
  let depth = 0
  // The clause stands after the table and its columns, before SETTINGS and FORMAT.
  for (const token of tokens) {
    if (token.kind === 'symbol' && token.text === '(') depth += 1
    if (token.kind === 'symbol' && token.text === ')') depth -= 1
    if (depth !== 0 || token.kind !== 'word') continue
    const word = token.text.toUpperCase()
    if (word !== 'SETTINGS' && word !== 'FORMAT' && word !== 'VALUES') continue
    const head = sql.slice(0, token.start)
    const tail = sql.slice(token.start, tokens.at(-1)?.end).replace(/\bVALUES$/i, 'FORMAT Values')
    return `${head} FROM INFILE ${sqlString(path)} ${tail}`
  }
  throw new Error('An INSERT that awaits data names FORMAT or VALUES.')
}

/**
 * The same KILL QUERY for the engine. Statements carry the id that the client gave them as `log_comment` (the engine
 * makes its own ids), and waiting is left to the front: the engine lists an ended query until its session closes, so
 * SYNC would wait for ever.
 */
export function killStatement(statement: Statement): {
  readonly sql: string
  readonly condition: string
  readonly sync: boolean
} {
  const { sql, tokens } = statement
  const where = tokens.find((token) => isWord(token, 'WHERE'))
  if (!isWord(tokens[1], 'QUERY') || !where)
    throw new DialectError(48, 'NOT_IMPLEMENTED', 'KILL QUERY WHERE … is what can be killed here.')
  const mode = tokens.findLast((token) => ['SYNC', 'ASYNC', 'TEST'].some((word) => isWord(token, word)))
  const end = mode?.start ?? tokens.at(-1)?.end ?? sql.length
  let condition = ''
  let at = where.end
  for (const token of tokens) {
    if (token.start < where.end || token.start >= end) continue
    condition += sql.slice(at, token.start)
    condition += isWord(token, 'QUERY_ID') ? "Settings['log_comment']" : sql.slice(token.start, token.end)
    at = token.end
  }
  return {
    sql: `KILL QUERY WHERE (${condition}) ${isWord(mode, 'TEST') ? 'TEST' : 'ASYNC'}`,
    condition,
    sync: isWord(mode, 'SYNC'),
  }
}
