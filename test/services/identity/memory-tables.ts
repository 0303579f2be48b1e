import type { ClickHouse } from '../../../services/core/clickhouse/clickhouse.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'

type Row = Readonly<Record<string, unknown>>

/** What one insert meets. */
export type InsertFate = 'lost' | 'answer_lost'

/** ClickHouse as far as persons need it: tables that take lines of JSON and keep the newest row of a key. */
export function createMemoryTables(onCall: (operation: string) => Promise<void> = async () => {}) {
  const tables = new Map<string, Row[]>()
  const fates: InsertFate[] = []
  const controls = { away: false }
  const gone = () => new DependencyError('clickhouse', 'unavailable', 'ClickHouse does not answer.')
  const clickhouse: ClickHouse = {
    async insert(table, _format, body, _settings, options) {
      await onCall(`insert ${table}`)
      options?.signal?.throwIfAborted()
      if (controls.away) throw gone()
      const fate = fates.shift()
      const lines = body.toString().trimEnd().split('\n')
      if (fate !== 'lost')
        tables.set(table, [...(tables.get(table) ?? []), ...lines.map((line) => JSON.parse(line) as Row)])
      if (fate) throw gone()
    },
    // No events are here that could be deleted.
    query: async () => [],
    stream: async () => {
      throw new Error('The stage does not ask that.')
    },
    async command(sql, parameters) {
      await onCall('erase')
      if (controls.away) throw gone()
      const table = /^ALTER TABLE (\w+) DELETE/.exec(sql)?.[1] ?? ''
      const { dataset_id, person_keys, version } = parameters as Record<string, unknown>
      tables.set(
        table,
        (tables.get(table) ?? []).filter(
          (row) =>
            row.dataset_id !== dataset_id ||
            !(person_keys as unknown[]).includes(row.person_key) ||
            Number(row.version) >= Number(version),
        ),
      )
    },
    async ping() {
      if (controls.away) throw gone()
      return 'memory'
    },
    close: async () => {},
  }
  return {
    clickhouse,
    controls,
    fates,
    /** Rows as they were inserted, repetitions among them. */
    inserted: (table: string) => tables.get(table) ?? [],
    /** Of rows that are equal in these columns the one with the highest version, as readers take it. */
    newest(table: string, ...key: readonly string[]): Row[] {
      const found = new Map<string, Row>()
      for (const row of tables.get(table) ?? []) {
        const name = JSON.stringify(key.map((column) => row[column]))
        if (Number(row.version) >= Number(found.get(name)?.version ?? 0)) found.set(name, row)
      }
      return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
    },
  }
}
