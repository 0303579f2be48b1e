import { describe, expect, test } from 'vitest'
import { clickHouseType } from '../../../schemas/clickhouse/column-type.ts'
import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import type { Field } from '../../../schemas/field.ts'
import { REJECTED_EVENT_FIELDS } from '../../../schemas/rejected-event/v1.ts'
import type { ClickHouse } from '../../../services/core/clickhouse/clickhouse.ts'
import { migrate, readMigrations, statementsOf } from '../../../services/core/clickhouse/migrate.ts'
import type { AppliedMigration, Migration } from '../../../services/core/runtime/migration-files.ts'

const migrations = readMigrations()
const statements = migrations.flatMap((migration) => statementsOf(migration, 'db'))

/** Columns of a table that are sent, in the order that the migrations make them, with types. */
function columnsOf(table: string): string[][] {
  return statements.flatMap((sql) => {
    const made = new RegExp(`^CREATE TABLE IF NOT EXISTS \`db\`\\.${table}\\b`, 'm').test(sql)
    const added = new RegExp(`^ALTER TABLE \`db\`\\.${table}\\b`, 'm').test(sql)
    if (made)
      return [...sql.matchAll(/^ {2}`(\w+)` (.+?),?$/gm)].map(([, name = '', type = '']) => [name, type])
    if (added)
      return [...sql.matchAll(/ADD COLUMN IF NOT EXISTS `(\w+)` (.+?)(?:,?$)/gm)]
        .map(([, name = '', type = '']) => [name, type])
        .filter(([, type]) => !type?.includes(' MATERIALIZED '))
    return []
  })
}

describe('the tables', () => {
  const declared = (fields: readonly Field[]) => fields.map((field) => [field.name, clickHouseType(field)])

  test('events has the columns of the enriched event: names, order, types', () => {
    expect(columnsOf('events')).toEqual(declared(ENRICHED_EVENT_FIELDS))
  })

  test('rejected_events has the columns of the rejected event: names, order, types', () => {
    expect(columnsOf('rejected_events')).toEqual(declared(REJECTED_EVENT_FIELDS))
  })

  test('none is filled by a materialized view, and none replaces rows but states that carry a version', () => {
    for (const sql of statements) {
      expect(sql).not.toMatch(/MATERIALIZED VIEW/i)
      const engine = /ENGINE\s*=\s*(\w+)/i.exec(sql)?.[1]
      // Rows of persons are states with a version; of two that are equal either will do. An event is one row, once.
      const isState = /^\s+`version` UInt64/m.test(sql)
      if (/CREATE TABLE/.test(sql)) expect(engine).toBe(isState ? 'ReplacingMergeTree' : 'MergeTree')
    }
  })
})

test('every statement does nothing the second time: runners have no lock between them', () => {
  const repeatable =
    /^(CREATE (DATABASE|TABLE) IF NOT EXISTS|DROP TABLE IF EXISTS|ALTER TABLE \S+\s+((ADD (COLUMN|INDEX|PROJECTION) IF NOT EXISTS|DROP (COLUMN|INDEX|PROJECTION) IF EXISTS|MODIFY (COLUMN|SETTING))[^;]*)+)/
  for (const sql of statements) expect(sql.replace(/^--.*\n/gm, '').trim()).toMatch(repeatable)
})

test('migrations are numbered without a gap', () => {
  expect(migrations.map(({ version }) => version)).toEqual(migrations.map((_, index) => index + 1))
})

describe('running them', () => {
  const one: Migration = {
    version: 1,
    name: 'one',
    sql: 'CREATE A {database};\n-- and\nCREATE B;\n',
    checksum: 'c1',
  }
  const two: Migration = { version: 2, name: 'two', sql: 'CREATE C;\n', checksum: 'c2' }

  /** Records what is asked; the ledger is what was put into it. */
  function recording(ledger: AppliedMigration[] = [], fail?: RegExp) {
    const effects: string[] = []
    const clickhouse = {
      async command(sql: string) {
        if (fail?.test(sql)) throw new Error('killed')
        if (!/schema_migrations|CREATE DATABASE/.test(sql)) effects.push(sql.replace(/^--.*\n/gm, ''))
      },
      async query() {
        return ledger
      },
      async insert(_table: string, _format: string, body: Buffer) {
        ledger.push(JSON.parse(body.toString()) as AppliedMigration)
        effects.push(`ledger ${ledger.at(-1)?.version}`)
      },
    } as unknown as ClickHouse
    return { clickhouse, effects, ledger }
  }

  test('one that was edited after it was applied stops everything', async () => {
    const { clickhouse, effects } = recording([{ version: 1, name: 'one', checksum: 'other' }])
    await expect(migrate(clickhouse, 'db', [one, two])).rejects.toMatchObject({ code: 'corrupt' })
    expect(effects).toEqual([])
  })

  test('a runner that is killed half way through one does all of it again, and it alone', async () => {
    const first = recording([], /CREATE C/)
    await expect(migrate(first.clickhouse, 'db', [one, two])).rejects.toThrow('killed')
    expect(first.effects).toEqual(['CREATE A `db`', 'CREATE B', 'ledger 1'])
    const second = recording(first.ledger)
    expect(await migrate(second.clickhouse, 'db', [one, two])).toEqual([2])
    expect(second.effects).toEqual(['CREATE C', 'ledger 2'])
  })

  test('a row that racing runners left twice is no fault, nor is a database newer than the program', async () => {
    const row = { version: 1, name: 'one', checksum: 'c1' }
    const { clickhouse, effects } = recording([row, row, { version: 9, name: 'nine', checksum: 'c9' }])
    expect(await migrate(clickhouse, 'db', [one])).toEqual([])
    expect(effects).toEqual([])
  })
})
