import type { ClickHouse } from '../../core/clickhouse/clickhouse.ts'
import { appliedMigrations } from '../../core/clickhouse/migrate.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import type { AppliedMigration, Migration } from '../../core/runtime/migration-files.ts'
import { clockFinding, type Finding, fault, ok, warning } from './check.ts'
import { versionFinding } from './clickhouse-version.ts'

/** Whether ClickHouse answers, is new enough, whether its clock is right and its tables are up to date. */
export async function checkClickHouse(
  clickhouse: ClickHouse,
  url: string,
  database: string,
  migrations: readonly Migration[],
  clock: Clock,
): Promise<Finding[]> {
  const findings: Finding[] = []
  try {
    findings.push(versionFinding(url, await clickhouse.ping()))
    const beforeMs = clock.now()
    const [row] = await clickhouse.query<{ now_ms: string | number }>(
      'SELECT toUnixTimestamp64Milli(now64(3)) AS now_ms',
    )
    findings.push(clockFinding('clickhouse clock', Number(row?.now_ms), beforeMs, clock.now(), 1))
    findings.push(tablesFinding(database, migrations, await applied(clickhouse, database)))
  } catch (error) {
    const isDenied = isDependencyError(error) && error.code === 'denied'
    findings.push(
      fault(
        'clickhouse',
        (error as Error).message,
        isDenied
          ? 'Check MILLRACE_CLICKHOUSE_USER and MILLRACE_CLICKHOUSE_PASSWORD.'
          : `Is a server at ${url}? MILLRACE_CLICKHOUSE_URL says where.`,
      ),
    )
  }
  return findings
}

/** Nothing is applied where the database or its ledger is not there yet. */
async function applied(clickhouse: ClickHouse, database: string): Promise<readonly AppliedMigration[]> {
  try {
    return await appliedMigrations(clickhouse, database)
  } catch (error) {
    if (isDependencyError(error) && error.code === 'not_found') return []
    throw error
  }
}

function tablesFinding(
  database: string,
  migrations: readonly Migration[],
  done: readonly AppliedMigration[],
): Finding {
  const name = `tables in ${database}`
  const edited = migrations.find(({ version, checksum }) =>
    done.some((one) => Number(one.version) === version && one.checksum !== checksum),
  )
  if (edited !== undefined)
    return fault(
      name,
      `migration ${edited.version} was applied from another file than this program has`,
      'Restore the file; put the change into a new migration.',
    )
  const versions = new Set(done.map(({ version }) => Number(version)))
  const missing = migrations.filter(({ version }) => !versions.has(version))
  if (missing.length > 0)
    return fault(
      name,
      `${missing.length} of ${migrations.length} migrations are not applied`,
      'Start the clickhouse-sink, which applies them.',
    )
  const newer = [...versions].filter((version) => version > migrations.length)
  if (newer.length > 0)
    return warning(
      name,
      `${newer.length} migrations are newer than this program`,
      'Fine during an upgrade; else update this program.',
    )
  return ok(name, `all ${migrations.length} migrations are applied`)
}
