import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readMigrations } from '../../services/core/clickhouse/migrate.ts'
import { statementsIn } from '../../services/core/runtime/migration-files.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { QUERY_API_SETTINGS } from '../../services/query-api/config.ts'
import { STORED_TABLES } from '../../services/query-api/sql/views.ts'
import { TRACE_TABLES } from '../../services/query-api/trace/trace-query.ts'

const text = readFileSync(join(import.meta.dirname, '../../infra/clickhouse-users.sql'), 'utf8')
const statements = statementsIn(text).map((statement) => statement.replace(/^--.*\n/gm, ''))

/** Tables that the query API reads: those of questions and traces, and what a cohort's history is told from. */
const READ = [...new Set([...STORED_TABLES, ...Object.keys(TRACE_TABLES), 'cohort_changes'])].toSorted()

/** What a role may do with the tables of Millrace: privileges by table. */
function grantsTo(role: string): Record<string, string> {
  const grants = statements.flatMap((statement) => {
    const [, what, table] = new RegExp(`^GRANT (.+) ON millrace\\.(\\S+) TO ${role}$`).exec(statement) ?? []
    return what === undefined || table === undefined ? [] : [[table, what] as const]
  })
  expect(new Set(grants.map(([table]) => table)).size).toBe(grants.length)
  return Object.fromEntries(grants)
}

test('whoever asks may read the tables of questions and nothing else', () => {
  const grants = grantsTo('millrace_query')
  expect(Object.keys(grants).toSorted()).toEqual(READ)
  expect(new Set(Object.values(grants))).toEqual(new Set(['SELECT']))
  const outside = statements.filter(
    (each) => / TO millrace_query$/.test(each) && !/ ON millrace\./.test(each),
  )
  expect(outside).toEqual([
    'GRANT SELECT(Settings, read_rows, read_bytes, total_rows_approx, elapsed) ON system.processes TO millrace_query',
  ])
})

test('whoever writes for it may change members of cohorts and remove recordings, and nothing else', () => {
  expect(grantsTo('millrace_writer')).toEqual({
    cohort_members: 'INSERT, ALTER DELETE',
    cohort_changes: 'INSERT, ALTER DELETE',
    recording_deletions: 'INSERT',
    recording_chunks: 'ALTER DELETE',
  })
})

test('every table that is read has rows of the named dataset for whoever asks, and all for the stages', () => {
  const policies = (name: string, rest: string) =>
    statements.flatMap((statement) => {
      const [, table] =
        new RegExp(`^CREATE ROW POLICY OR REPLACE ${name} ON millrace\\.(\\w+) FOR SELECT USING (.*)$`).exec(
          statement,
        ) ?? []
      if (table === undefined) return []
      expect(statement.endsWith(rest)).toBe(true)
      return [table]
    })
  const one = policies(
    'one_dataset',
    "USING dataset_id = getSetting('SQL_millrace_dataset') TO millrace_query",
  )
  expect(one.toSorted()).toEqual(READ)
  expect(policies('every_dataset', 'USING 1 TO millrace_sink').toSorted()).toEqual(READ)
})

test('tables with rows of datasets are among them, but for those that no question reads', () => {
  const made = readMigrations().flatMap(({ sql }) =>
    [...sql.matchAll(/CREATE TABLE IF NOT EXISTS \{database\}\.(\w+)\n\(([^;]*)/g)].flatMap(
      ([, name = '', columns = '']) => (columns.includes('`dataset_id`') ? [name] : []),
    ),
  )
  expect(made.filter((name) => !READ.includes(name)).toSorted()).toEqual(['event_deletions'])
  expect(READ.filter((name) => !made.includes(name))).toEqual([])
})

test('the bounds of the profiles leave room for what the query API asks for by default', () => {
  const bounds = (profile: string) => {
    const statement = statements.find((each) =>
      each.startsWith(`CREATE SETTINGS PROFILE OR REPLACE ${profile} SETTINGS`),
    )
    return Object.fromEntries(
      [...(statement ?? '').matchAll(/(\w+) = \d+ MIN (\d+) MAX (\d+)/g)].map(([, name, min, max]) => [
        name,
        [Number(min), Number(max)],
      ]),
    )
  }
  const defaults = parseSettings(QUERY_API_SETTINGS, {})
  const reader = bounds('millrace_query')
  const writer = bounds('millrace_writer')
  expect(reader.max_execution_time).toEqual([1, defaults.streamSecondsMax])
  expect(defaults.executionSecondsMax).toBeLessThanOrEqual(defaults.streamSecondsMax)
  expect(writer.max_execution_time![1]).toBeGreaterThanOrEqual(defaults.cohortSecondsMax)
  for (const { max_memory_usage: memory } of [reader, writer])
    expect(memory).toEqual([1, defaults.memoryBytesMax])
  expect(text).toMatch(/PROFILE OR REPLACE millrace_query SETTINGS readonly = 2,/)
})

test('nobody comes in with what is written here', () => {
  const users = statements.filter((each) => each.startsWith('CREATE USER'))
  expect(users).toHaveLength(3)
  for (const user of users) expect(user).toMatch(/ IDENTIFIED WITH sha256_hash BY '0{64}' DEFAULT ROLE /)
})
