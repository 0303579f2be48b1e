import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { statementsIn } from '../../services/core/runtime/migration-files.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { needs } from '../helpers/needs.ts'

const text = readFileSync(join(import.meta.dirname, '../../infra/clickhouse-users.sql'), 'utf8')

describe('users of a server', needs('chdb'), () => {
  test('every statement is ClickHouse’s SQL, as far as an engine without users can tell', async () => {
    const settings = parseSettings(CLICKHOUSE_SETTINGS, { MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl') })
    const clickhouse = openClickHouse(settings, null)
    const statements = statementsIn(text)
    expect(statements.length).toBeGreaterThan(50)
    const wrong: string[] = []
    for (const statement of statements) {
      const sql = 'SELECT formatQueryOrNull({statement:String}) AS formatted'
      const [row] = await clickhouse.query<{ formatted: string | null }>(sql, { statement })
      if (row?.formatted == null) wrong.push(statement)
    }
    expect(wrong).toEqual([])
    await clickhouse.close()
  })
})
