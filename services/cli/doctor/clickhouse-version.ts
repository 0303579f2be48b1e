import { type Finding, fault, ok, warning } from './check.ts'

/**
 * The newest of what tables and inserts cannot do without is `input_format_json_read_objects_as_strings`: it lets
 * the records' own bytes be the rows, and every insert names it. It is part of ClickHouse's defaults since 23.1, and a
 * server refuses statements with settings that it does not know. Tokens for inserts, projections without leave to
 * try them and syncing after inserts are all older.
 */
const NEEDED: Version = [23, 1]

/** From here on `@clickhouse/client` is supported; before that its makers promise nothing. */
const SUPPORTED: Version = [24, 8]

type Version = readonly [year: number, release: number]

/** @param version as the server tells it, e.g. `26.7.1.1` */
export function versionFinding(url: string, version: string): Finding {
  const detail = `${url} answers, version ${version}`
  const match = /^(\d+)\.(\d+)/.exec(version)
  if (match === null)
    return warning(
      'clickhouse',
      detail,
      `No version that can be read: ${text(SUPPORTED)} or later is needed.`,
    )
  const found: Version = [Number(match[1]), Number(match[2])]
  if (isBefore(found, NEEDED))
    return fault(
      'clickhouse',
      `${detail}, which cannot store events: ${text(NEEDED)} is the first that can`,
      `Upgrade ClickHouse to ${text(SUPPORTED)} or later.`,
    )
  if (isBefore(found, SUPPORTED))
    return warning(
      'clickhouse',
      `${detail}, older than what millrace's client supports`,
      `Upgrade ClickHouse to ${text(SUPPORTED)} or later.`,
    )
  return ok('clickhouse', detail)
}

function isBefore(a: Version, b: Version): boolean {
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])
}

function text(version: Version): string {
  return version.join('.')
}
