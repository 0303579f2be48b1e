import { TABLE_NAMES } from './stored-tables.ts'

/** A parenthesis with what stands in it, or one token. */
type Piece = string | readonly Piece[]

const TOKEN =
  /\s+|\{\w+:[A-Za-z0-9()]+\}|'(?:[^'\\]|\\.)*'|`[^`\\]*`|[A-Za-z_$]\w*|\d+(?:\.\d+)?(?:e\d+)?|->|<=|>=|!=|<>|::|[-+*/%=<>(),.[\]?:]/y
const CLOSINGS: ReadonlyMap<string, string> = new Map([
  ['(', ')'],
  ['[', ']'],
])

/** What ends a WHERE on its own level. */
const AFTER_WHERE = new Set([
  'GROUP',
  'HAVING',
  'WINDOW',
  'ORDER',
  'LIMIT',
  'OFFSET',
  'UNION',
  'FORMAT',
  'SETTINGS',
])
const ALIASES_OF_TABLES = /^[a-z]\w*$/

/**
 * The stored tables that a statement reads, each of them by a SELECT of its own whose WHERE begins with, or adds by AND,
 * the condition on the dataset.
 *
 * @returns their names, as often as they are read
 * @throws Error for a table that is read in any other way, for tables that are none of ours, and for functions in the
 *   place of tables
 */
export function guardedTables(
  sql: string,
  parameters: Readonly<Record<string, unknown>>,
  dataset: string,
): string[] {
  const pieces = piecesOf(sql)
  const named = namesOfQueries(pieces)
  const tables: string[] = []
  const isOwn = (bound: Piece | undefined) => {
    const name = /^\{(\w+):String\}$/.exec(String(bound))?.[1]
    return name !== undefined && parameters[name] === dataset
  }
  for (const level of levelsOf(pieces))
    for (const select of splitAt(level, (piece) => piece === 'UNION')) {
      refuseOthers(select, isOwn, sql)
      for (const [at, piece] of select.entries()) {
        const isSource =
          (piece === 'FROM' && select[at - 2] !== 'TRAILING') ||
          (piece === 'JOIN' && select[at - 1] !== 'ARRAY')
        const source = select[at + 1]
        if (!isSource || typeof source !== 'string') continue
        if (Array.isArray(select[at + 2])) throw new Error(`${source} is a function that is read in: ${sql}`)
        if (named.has(source)) continue
        if (!TABLE_NAMES.has(source)) throw new Error(`"${source}" is read in: ${sql}`)
        if (piece === 'JOIN' || select.includes('JOIN') || !isGuarded(select, at, isOwn))
          throw new Error(`${source} is read without its dataset in: ${sql}`)
        tables.push(source)
      }
    }
  return tables
}

/** Ways past a FROM: a list of what is read, a dataset that is another one, and the name of a table after IN. */
function refuseOthers(
  select: readonly Piece[],
  isOwn: (bound: Piece | undefined) => boolean,
  sql: string,
): void {
  const from = select.slice(select.indexOf('FROM') + 1)
  const end = from.findIndex(
    (piece) => piece === 'WHERE' || piece === 'ARRAY' || AFTER_WHERE.has(String(piece)),
  )
  if (from.length < select.length && from.slice(0, end < 0 ? undefined : end).includes(','))
    throw new Error(`A list is read in: ${sql}`)
  for (const [at, piece] of select.entries()) {
    const next = select[at + 1]
    if (piece === 'dataset_id' && next === '=' && !isOwn(select[at + 2]))
      throw new Error(`Another dataset is asked for in: ${sql}`)
    if (piece !== 'IN') continue
    const only = typeof next === 'object' && next.length === 1 ? next[0] : next
    if (typeof only === 'string' && TABLE_NAMES.has(only)) throw new Error(`"${only}" is read in: ${sql}`)
  }
}

/** @param at place of the FROM */
function isGuarded(
  select: readonly Piece[],
  at: number,
  isOwn: (bound: Piece | undefined) => boolean,
): boolean {
  const rest = select.slice(at + 2)
  const where = rest.indexOf('WHERE')
  // Nothing stands in between but FINAL and an alias.
  const between = rest.slice(0, Math.max(where, 0))
  const isPlain = between.every((piece) => typeof piece === 'string' && /^(FINAL|AS)$|^[a-z]\w*$/.test(piece))
  if (where < 0 || !isPlain) return false
  const end = rest.findIndex((piece, place) => place > where && AFTER_WHERE.has(String(piece)))
  const conditions = rest.slice(where + 1, end < 0 ? undefined : end)
  if (conditions.includes('OR')) return false
  return splitAt(conditions, (piece) => piece === 'AND').some(
    (one) => one.length === 3 && one[0] === 'dataset_id' && one[1] === '=' && isOwn(one[2]),
  )
}

function piecesOf(sql: string): readonly Piece[] {
  const open: Piece[][] = [[]]
  const closing: string[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < sql.length) {
    const at = TOKEN.lastIndex
    const [token] = TOKEN.exec(sql) ?? []
    if (token === undefined) throw new Error(`No token of ours stands at ${at} of: ${sql}`)
    if (token.trim() === '') continue
    const closes = CLOSINGS.get(token)
    if (closes !== undefined) {
      const inner: Piece[] = []
      open.at(-1)?.push(inner)
      open.push(inner)
      closing.push(closes)
    } else if (token === ')' || token === ']') {
      if (closing.pop() !== token) throw new Error(`${token} closes nothing at ${at} of: ${sql}`)
      open.pop()
    } else open.at(-1)?.push(token)
  }
  if (closing.length > 0) throw new Error(`Something is left open in: ${sql}`)
  return open[0] as Piece[]
}

function* levelsOf(pieces: readonly Piece[]): Generator<readonly Piece[]> {
  yield pieces
  for (const piece of pieces) if (typeof piece !== 'string') yield* levelsOf(piece)
}

/** Names that a WITH gives to queries: `name AS (SELECT …)`. */
function namesOfQueries(pieces: readonly Piece[]): ReadonlySet<string> {
  const names = new Set<string>()
  for (const level of levelsOf(pieces))
    for (const [at, piece] of level.entries()) {
      const name = level[at - 1]
      const query = level[at + 1]
      if (
        piece === 'AS' &&
        typeof query === 'object' &&
        typeof name === 'string' &&
        ALIASES_OF_TABLES.test(name)
      )
        names.add(name)
    }
  for (const name of names)
    if (TABLE_NAMES.has(name)) throw new Error(`A query is called like the table ${name}.`)
  return names
}

function splitAt(pieces: readonly Piece[], isEnd: (piece: Piece) => boolean): Piece[][] {
  const parts: Piece[][] = [[]]
  for (const piece of pieces)
    if (isEnd(piece)) parts.push([])
    else parts.at(-1)?.push(piece)
  return parts
}
