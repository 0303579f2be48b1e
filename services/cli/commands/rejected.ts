import type { Command } from 'commander'
import { REJECTION_CODES } from '../../../schemas/rejected-event/v1.ts'
import type { ClickHouse } from '../../core/clickhouse/clickhouse.ts'
import { CLICKHOUSE_SETTINGS } from '../../core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../core/clickhouse/http-clickhouse.ts'
import { parseDuration, parseSettings } from '../../core/runtime/settings.ts'
import { UsageError } from '../exit-status.ts'
import { numberOption } from '../ingest/number-option.ts'
import { localEnvironment } from '../local-environment.ts'
import {
  REJECTED_QUERY_SETTINGS,
  type RejectedRow,
  type RejectedSelection,
  rejectedLine,
  rejectedSql,
  rejectedText,
} from '../rejected/rejected-query.ts'

interface ListFlags {
  readonly dataset?: string
  readonly code?: string
  readonly since?: string
  readonly limit: number
  readonly json: boolean
}

/** `millrace rejected ls|show`: which events were refused, and why. */
export function registerRejected(program: Command): void {
  const rejected = program
    .command('rejected')
    .description('Events that were accepted over HTTP and then refused.')
  rejected
    .command('ls')
    .description('List rejected events, newest first.')
    .option('--dataset <id>', 'of this dataset only')
    .option('--code <code>', `with this reason only: ${REJECTION_CODES.join(', ')}`)
    .option('--since <time>', 'received since then: ISO 8601, or an age like 24h')
    .option('--limit <n>', 'so many at most', numberOption(1, 10_000), 50)
    .option('--json', 'one JSON object per line, with the payload', false)
    .action(async ({ dataset, code, since, limit, json }: ListFlags) => {
      const rows = await ask({
        dataset: dataset ?? null,
        code: code ?? null,
        sinceMs: since === undefined ? null : sinceMs(since),
        eventId: null,
        limit,
      })
      for (const row of rows) process.stdout.write(`${json ? JSON.stringify(row) : rejectedLine(row)}\n`)
      if (rows.length === 0 && !json) process.stderr.write('No rejected event is there for what you asked.\n')
    })
  rejected
    .command('show')
    .description('Show everything about a rejected event, with what was sent.')
    .argument('<event id>')
    .option('--dataset <id>', 'of this dataset only')
    .option('--json', 'one JSON object per line', false)
    .action(async (eventId: string, { dataset, json }: Pick<ListFlags, 'dataset' | 'json'>) => {
      const rows = await ask({ dataset: dataset ?? null, code: null, sinceMs: null, eventId, limit: 100 })
      if (rows.length === 0)
        throw new Error(`No rejected event has the id ${JSON.stringify(eventId)}. See millrace rejected ls.`)
      process.stdout.write(
        rows.map((row) => (json ? `${JSON.stringify(row)}\n` : rejectedText(row))).join(json ? '' : '\n'),
      )
    })
}

async function ask(selection: RejectedSelection): Promise<RejectedRow[]> {
  const clickhouse: ClickHouse = openClickHouse(parseSettings(CLICKHOUSE_SETTINGS, localEnvironment()))
  try {
    const { sql, parameters } = rejectedSql(selection)
    return await clickhouse.query<RejectedRow>(sql, parameters, { settings: REJECTED_QUERY_SETTINGS })
  } finally {
    await clickhouse.close()
  }
}

function sinceMs(text: string): number {
  const at = Date.parse(text)
  if (!Number.isNaN(at)) return at
  try {
    return Date.now() - parseDuration(text)
  } catch {
    throw new UsageError('--since must be a time like 2026-01-31T12:00:00Z or an age like 24h.')
  }
}
