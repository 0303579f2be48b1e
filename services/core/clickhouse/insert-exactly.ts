import { DependencyError, isDependencyError } from '../runtime/errors.ts'
import type { Hold } from '../stream/planned-sink.ts'
import type { ClickHouse, QuerySettings } from './clickhouse.ts'
import { isDataError } from './clickhouse-errors.ts'
import type { RowBuffer } from './row-buffer.ts'

export interface InsertTarget {
  readonly clickhouse: Pick<ClickHouse, 'insert' | 'query' | 'command'>
  readonly table: string
  /** Raw partition of every row. */
  readonly partition: number
  readonly settings: QuerySettings
  /** Names the batch for ever; tokens and query ids begin with it. */
  readonly token: string
  /** Tells one try from another. */
  readonly nonce: () => string
  readonly hold: Hold
}

export interface InsertOutcome {
  readonly inserted: number
  /** Rows that ClickHouse cannot read, with its words. */
  readonly refused: readonly { readonly row: number; readonly reason: string }[]
  /** False when the first answer was a clean one. */
  readonly verified: boolean
  /** Rows that were missing although an insert of them was acknowledged, and were inserted again. */
  readonly repaired: number
}

/** Rounds of "count, insert what is missing"; a healthy server needs one. */
const ROUNDS_MAX = 20

/**
 * Every row of the batch is in the table once, whatever became of earlier tries.
 *
 * A clean answer to the first insert is believed. In every other case the token alone is not. MergeTree writes it
 * down before it puts the part in place, so a server killed in between takes the repeat for a duplicate, answers
 * "ok" and stores nothing; a table remembers tokens for so long only, and then a repeat doubles every row; and rows
 * of a plan that is gone were inserted under another one. So the rows are counted by their source before anything
 * is repeated, and what is missing is inserted under the next token, until nothing is.
 *
 * ```
 *  first try ── clean ──────────────────────────────────▶ done
 *      │ anything else, or a replay
 *      ▼
 *  end what may still run ──▶ count by source ── all ───▶ done
 *      ▲                          │ some missing
 *      └──── confirm the plan, insert those under token n, from 1 on
 * ```
 *
 * No insert begins long after the plan was last confirmed: a process that stood still for hours, and wakes when the
 * table has forgotten the token under which another one did its work, finds out before it sends anything.
 *
 * Whoever repeats the batch begins with the same token, so that a try of before which comes late is a duplicate.
 *
 * @param mayHaveBegun an earlier try, of this or another process, may have inserted some of the rows or all
 * @throws DependencyError retriable ones as they come: the plan is then replayed; `corrupt` when the table holds rows
 *   of these sources that are not of this batch, or more than one of a source
 */
export async function insertExactly(
  target: InsertTarget,
  rows: RowBuffer,
  mayHaveBegun: boolean,
): Promise<InsertOutcome> {
  if (rows.rows === 0) {
    if (mayHaveBegun) await settle(target)
    return { inserted: 0, refused: [], verified: false, repaired: 0 }
  }
  if (!mayHaveBegun && (await isClean(insert(target, rows.bytes(), tokenOf(target, 1)))))
    return { inserted: rows.rows, refused: [], verified: false, repaired: 0 }

  const refused = new Map<number, string>()
  let repaired = 0
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    await settle(target)
    const missing = (await missingRows(target, rows)).filter((row) => !refused.has(row))
    if (missing.length === 0)
      return {
        inserted: rows.rows - refused.size,
        refused: [...refused].map(([row, reason]) => ({ row, reason })).sort((a, b) => a.row - b.row),
        verified: true,
        repaired,
      }
    const inserted = await insertReadable(target, rows, missing, tokenOf(target, round), refused)
    if (round > 1) repaired += inserted
  }
  throw new DependencyError(
    'clickhouse',
    'corrupt',
    `Rows of batch ${target.token} do not appear in ${target.table} although ${ROUNDS_MAX} inserts of them were acknowledged.`,
  )
}

function tokenOf({ token }: InsertTarget, round: number): string {
  return `${token}#${round}`
}

function insert(target: InsertTarget, body: Buffer, insert_deduplication_token: string): Promise<void> {
  const settings = { ...target.settings, insert_deduplication_token }
  const queryId = `${target.token}/${target.nonce()}`
  const beforeSending = target.hold.requireFresh
  return target.clickhouse.insert(target.table, 'JSONEachRow', body, settings, { queryId, beforeSending })
}

/** @returns false when the outcome is unknown or bad in a way that a verification settles */
async function isClean(inserting: Promise<void>): Promise<boolean> {
  try {
    await inserting
    return true
  } catch (error) {
    if (isDataError(error) || (isDependencyError(error) && error.retriable)) return false
    throw error
  }
}

function settle({ clickhouse, token }: InsertTarget): Promise<void> {
  return endInserts(clickhouse, `${token}/`)
}

/**
 * An insert that nobody waits for any more could still end after the count. KILL … SYNC returns when it has ended.
 *
 * @param prefix of the query ids
 */
export function endInserts(clickhouse: Pick<ClickHouse, 'command'>, prefix: string): Promise<void> {
  return clickhouse.command('KILL QUERY WHERE startsWith(query_id, {prefix:String}) SYNC', { prefix })
}

/** Rows that the table does not hold, by source. */
async function missingRows(target: InsertTarget, rows: RowBuffer): Promise<readonly number[]> {
  const stored = await target.clickhouse.query<{ src_offset: number; copies: number }>(
    `SELECT src_offset, toUInt32(count()) AS copies FROM ${target.table}
     WHERE src_partition = {partition:Int64} AND src_offset >= {from:Int64} AND src_offset <= {to:Int64}
     GROUP BY src_offset`,
    { partition: target.partition, from: rows.srcOffset(0), to: rows.srcOffset(rows.rows - 1) },
    { settings: { output_format_json_quote_64bit_integers: 0 } },
  )
  const copies = new Map(stored.map((row) => [row.src_offset, row.copies]))
  const missing: number[] = []
  for (let row = 0; row < rows.rows; row++) {
    const found = copies.get(rows.srcOffset(row)) ?? 0
    if (found === 0) missing.push(row)
    else if (found === 1) copies.delete(rows.srcOffset(row))
  }
  const [strange] = copies
  if (strange)
    throw new DependencyError(
      'clickhouse',
      'corrupt',
      `${target.table} holds ${strange[1]} rows of source ${target.partition}:${strange[0]}, batch ${target.token} has ${missing.length === rows.rows ? 'none' : 'at most one'}. Was events.raw deleted and made again, or did something else write into the table?`,
    )
  return missing
}

/**
 * Inserts rows, by halves where some cannot be read, and notes those that cannot. What is found depends on the rows
 * alone, so a replay finds the same.
 *
 * @returns how many were inserted
 */
async function insertReadable(
  target: InsertTarget,
  rows: RowBuffer,
  which: readonly number[],
  token: string,
  refused: Map<number, string>,
): Promise<number> {
  await target.hold.confirm()
  try {
    await insert(target, rows.pick(which), token)
    return which.length
  } catch (error) {
    if (!isDataError(error)) throw error
    const [only] = which
    if (which.length === 1 && only !== undefined) {
      refused.set(only, (error as Error).message)
      return 0
    }
  }
  const middle = which.length >>> 1
  const first = await insertReadable(target, rows, which.slice(0, middle), `${token}.0`, refused)
  return first + (await insertReadable(target, rows, which.slice(middle), `${token}.1`, refused))
}
