import type { ClickHouse, QueryOptions } from '../../../services/core/clickhouse/clickhouse.ts'
import { toDependencyError } from '../../../services/core/clickhouse/clickhouse-errors.ts'
import type { Clock } from '../../../services/core/runtime/clock.ts'

/** What one insert meets. */
export type InsertFate =
  | 'clean'
  /** Nothing happened, no answer. */
  | 'lost'
  /** It happened, no answer. */
  | 'answer_lost'
  /** The server was killed between writing the token down and putting the part in place. */
  | 'token_without_rows'
  /** Some of its parts were put in place, then the server was killed; the token is written down. */
  | 'half'
  /** It goes on in the server after the client gave up, and ends when it is killed or at the next insert but one. */
  | 'still_running'

export type StoredRow = Readonly<Record<string, unknown>>

interface Running {
  readonly queryId: string
  readonly apply: () => void
}

/** What a table remembers: so many blocks, and each at least so long. */
export interface TokenWindow {
  readonly blocks: number
  readonly ageMs: number
  readonly clock: Pick<Clock, 'monotonic'>
}

/**
 * ClickHouse as the sink uses it: an insert is cut into blocks, each of which a table drops when it knows the token and
 * the block's number, whatever rows are in it; and inserts that meet their fate.
 *
 * @param tokens every block for ever when left out
 */
export function memoryWarehouse(tokens?: TokenWindow) {
  const tables = new Map<string, StoredRow[]>()
  /** Per table the blocks it remembers and when it met them, oldest first. */
  const windows = new Map<string, Map<string, number>>()
  const fates: InsertFate[] = []
  const inserts: string[] = []
  let running: Running[] = []
  let unreadable: (line: string) => boolean = () => false
  const rowsOf = (table: string) => {
    const found = tables.get(table) ?? []
    tables.set(table, found)
    return found
  }
  /** @returns false for a block that the table has had, as far back as it remembers */
  const isNew = (table: string, block: string): boolean => {
    const window = windows.get(table) ?? new Map()
    windows.set(table, window)
    if (window.has(block)) return false
    window.set(block, tokens?.clock.monotonic() ?? 0)
    if (tokens)
      for (const [oldest, metMs] of window) {
        if (window.size <= tokens.blocks || tokens.clock.monotonic() - metMs < tokens.ageMs) break
        window.delete(oldest)
      }
    return true
  }
  const gone = () => toDependencyError(new Error('socket hang up'), 'insert')

  const clickhouse: ClickHouse = {
    async insert(table, _format, body, settings, options) {
      options?.beforeSending?.()
      for (const { apply } of running.splice(0, Math.max(0, running.length - 1))) apply()
      const lines = body.toString().trimEnd().split('\n')
      const token = settings.insert_deduplication_token as string | undefined
      inserts.push(`${table} ${lines.length}${token ? ` ${token.slice(token.indexOf('#'))}` : ''}`)
      if (lines.some(unreadable))
        throw toDependencyError({ code: '27', type: 'CANNOT_PARSE', message: 'Cannot parse.' }, 'insert')
      const blockRows = Number(settings.max_insert_block_size ?? lines.length)
      const apply = (count = lines.length) => {
        for (let first = 0, block = 0; first < lines.length; first += blockRows, block++) {
          // The token is written down before the rows are there.
          if (token !== undefined && !isNew(table, `${token}_${block}`)) continue
          for (const line of lines.slice(first, Math.min(first + blockRows, count)))
            rowsOf(table).push(JSON.parse(line))
        }
      }
      const fate = fates.shift() ?? 'clean'
      if (fate === 'clean' || fate === 'answer_lost') apply()
      if (fate === 'token_without_rows') apply(0)
      if (fate === 'half') apply(Math.floor(lines.length / 2))
      if (fate === 'still_running') running.push({ queryId: options?.queryId ?? '', apply: () => apply() })
      if (fate !== 'clean') throw gone()
    },
    async command(sql, parameters) {
      if (!sql.startsWith('KILL')) throw new Error(`Not known here: ${sql}`)
      // A killed insert ends either way; waiting for it is what matters. Here it still gets through.
      const prefix = String(parameters?.prefix)
      for (const { queryId, apply } of running) if (queryId.startsWith(prefix)) apply()
      running = running.filter(({ queryId }) => !queryId.startsWith(prefix))
    },
    async query<T>(
      sql: string,
      parameters: Record<string, unknown> = {},
      _options?: QueryOptions,
    ): Promise<T[]> {
      const table = /FROM (\w+)/.exec(sql)?.[1] ?? ''
      return answerQuery(sql, rowsOf(table), parameters as Record<string, never>) as T[]
    },
    async stream() {
      throw new Error('The sink streams nothing.')
    },
    ping: async () => 'memory',
    close: async () => {},
  }
  return {
    clickhouse,
    fates,
    inserts,
    rows: rowsOf,
    sources: (table: string) => rowsOf(table).map((row) => Number(row.src_offset)),
    refuse: (predicate: (line: string) => boolean) => {
      unreadable = predicate
    },
  }
}

function answerQuery(sql: string, rows: readonly StoredRow[], given: Record<string, never>): unknown[] {
  const between = (name: string) =>
    rows.filter((row) => Number(row[name]) >= Number(given.from) && Number(row[name]) <= Number(given.to))
  const ofPartition = (found: readonly StoredRow[]) =>
    found.filter((row) => row.topic === given.topic && row.partition === given.partition)
  const distinct = (found: readonly unknown[]) =>
    [...new Set(found.map((row) => JSON.stringify(row)))].map((text) => JSON.parse(text))
  if (sql.includes('AS copies')) {
    const copies = new Map<number, number>()
    for (const row of between('src_offset'))
      if (row.src_partition === given.partition)
        copies.set(Number(row.src_offset), (copies.get(Number(row.src_offset)) ?? 0) + 1)
    return [...copies].map(([src_offset, count]) => ({ src_offset, copies: count }))
  }
  if (sql.includes('AS highest')) {
    const offsets = rows
      .filter((row) => row.src_partition === given.partition && Number(row.src_offset) > Number(given.after))
      .map((row) => Number(row.src_offset))
    return [{ highest: Math.max(0, ...offsets), found: offsets.length }]
  }
  if (sql.includes('SELECT DISTINCT offset'))
    return distinct(ofPartition(between('offset')).map(({ offset }) => ({ offset })))
  if (sql.includes('SELECT DISTINCT start')) {
    const found = distinct(
      ofPartition(rows)
        .filter((row) => row.topic_id === given.topicId)
        .map(({ start, end, src, landed }) => ({ start, end, src, landed })),
    ).sort((a, b) => a.start - b.start)
    if (sql.includes('LIMIT 1')) return found.slice(-1)
    if (sql.includes('start = ')) return found.filter(({ start }) => start === given.start)
    return found.filter(({ start }) => start >= Number(given.from))
  }
  throw new Error(`Not known here: ${sql}`)
}
