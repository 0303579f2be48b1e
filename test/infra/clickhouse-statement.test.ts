import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { engineError, errorText, httpStatus } from '../../infra/engines/clickhouse/dialect-error.ts'
import { sqlString, sqlTokens } from '../../infra/engines/clickhouse/sql-tokens.ts'
import {
  killStatement,
  readStatement,
  refuseOutside,
  withDataFrom,
} from '../../infra/engines/clickhouse/statement.ts'

const OUTSIDE = new Set(['file', 'url', 's3', 'remote', 'merge', 'numbers', 'input'])
const refusal = (sql: string, parameters: Record<string, string> = {}) => {
  try {
    refuseOutside(readStatement(sql), OUTSIDE, parameters)
    return null
  } catch (error) {
    return (error as { code: number }).code
  }
}

describe('what a statement is', () => {
  test.each([
    ['SELECT 1; SELECT 2', 'a second statement'],
    ['SELECT 1; -- then\n DROP TABLE x', 'one after a comment'],
    ['', 'nothing'],
    ['  -- only a comment', 'a comment alone'],
    ['SELECT 1 /* no end', 'an open comment'],
    ['SELECT /* a /* b */ 1 */ 2', 'a comment in a comment, which lexers read differently'],
    ["SELECT 'no end", 'an open string'],
    ['SELECT 1\0', 'a NUL'],
    ['SELECT “x”', 'quotes outside ASCII'],
    ['SELECT 1 # comment', 'comment marks of other dialects'],
  ])('%s is refused: %s', (sql) => {
    expect(() => readStatement(sql)).toThrow(expect.objectContaining({ code: 62 }))
  })

  test.each([
    ['SELECT 1', 'read'],
    ['  /* c */ -- d\n  select 1;', 'read'],
    ['WITH 1 AS x SELECT x', 'read'],
    ['WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x', 'write'],
    ['(SELECT 1) UNION ALL (SELECT 2)', 'read'],
    ['EXPLAIN SELECT 1', 'read'],
    ['EXISTS TABLE t', 'read'],
    ["SELECT 'INSERT INTO t VALUES (1)'", 'read'],
    ['SELECT insert FROM t', 'read'],
    ['INSERT INTO t SELECT 1', 'write'],
    ['DROP TABLE t', 'write'],
    ['SYSTEM FLUSH LOGS', 'write'],
    ['KILL QUERY WHERE 1', 'kill'],
  ])('%s is of kind %s', (sql, kind) => {
    expect(readStatement(sql).kind).toBe(kind)
  })

  test.each([
    ['SELECT 1 FORMAT JSON', 'JSON'],
    ['SELECT 1 format TSV;', 'TSV'],
    ['SELECT 1 FORMAT CSV SETTINGS max_threads = 1', 'CSV'],
    ['SELECT format FROM t', null],
    ["SELECT 'FORMAT JSON'", null],
    ["SELECT format('{}', 1)", null],
  ])('%s names format %s', (sql, format) => {
    expect(readStatement(sql).format).toBe(format)
  })

  test.each([
    ['INSERT INTO t FORMAT JSONEachRow', true, 'JSONEachRow'],
    ['INSERT INTO t (a, `format`) VALUES', true, 'Values'],
    ['INSERT INTO t FORMAT JSONEachRow {"a":"; DROP TABLE t"}', false, 'JSONEachRow'],
    ["INSERT INTO t VALUES ('it''s; fine')", false, 'Values'],
    ['INSERT INTO t SELECT * FROM values(1)', false, null],
  ])('%s awaits data: %s', (sql, awaits, format) => {
    const statement = readStatement(sql)
    expect([statement.awaitsData, statement.format]).toEqual([awaits, format])
  })

  test('rows of an INSERT come from a file, wherever its clauses stand', () => {
    const from = (sql: string) => withDataFrom(readStatement(sql), "/x/it's").replace(/\s+/g, ' ')
    expect(from('INSERT INTO t FORMAT TSV')).toBe("INSERT INTO t FROM INFILE '/x/it\\'s' FORMAT TSV")
    expect(from('INSERT INTO d.t (settings, format) SETTINGS a = 1 FORMAT TSV')).toBe(
      "INSERT INTO d.t (settings, format) FROM INFILE '/x/it\\'s' SETTINGS a = 1 FORMAT TSV",
    )
    expect(from('insert into t (a) values ')).toBe("insert into t (a) FROM INFILE '/x/it\\'s' FORMAT Values")
  })

  test('KILL goes by the id that the client gave, and waiting is left to the front', () => {
    expect(
      killStatement(readStatement("KILL QUERY WHERE query_id = 'query_id' AND user = 'x' SYNC")),
    ).toEqual({
      sql: "KILL QUERY WHERE ( Settings['log_comment'] = 'query_id' AND user = 'x') ASYNC",
      condition: " Settings['log_comment'] = 'query_id' AND user = 'x'",
      sync: true,
    })
    expect(() => killStatement(readStatement('KILL MUTATION WHERE 1'))).toThrow(/KILL QUERY/)
  })
})

describe('what leads out of the database is refused', () => {
  test.each([
    "SELECT * FROM file('/etc/passwd')",
    "SELECT * FROM FILE /* c */ (\n'/etc/passwd')",
    "SELECT * FROM `file`('/etc/passwd')",
    'SELECT * FROM "url"(\'http://x\')',
    "SELECT file('/etc/passwd')",
    "DESCRIBE TABLE s3('http://x')",
    "WITH x AS (SELECT * FROM remote('h', system.one)) SELECT * FROM x",
    "INSERT INTO t SELECT * FROM url('http://x')",
    "SELECT * FROM merge('default', '.*')",
    'SELECT * FROM default.x',
    'SELECT * FROM `default` . `x`',
    'SELECT * FROM `/etc/passwd`',
    'SELECT * FROM `\\x2fetc\\x2fpasswd`',
    'SELECT * FROM "..\\/x"',
    "SELECT 1 INTO OUTFILE '/tmp/x'",
    "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT TSV",
  ])('%s', (sql) => {
    expect(refusal(sql)).toBe(497)
  })

  test('a placeholder for a name is held to the same', () => {
    expect(refusal('SELECT * FROM {d:Identifier}.{t:Identifier}', { d: 'default', t: 'x' })).toBe(497)
    expect(refusal('SELECT * FROM {t:Identifier}', { t: '/etc/passwd' })).toBe(497)
    expect(refusal('SELECT {t:String} FROM {d:Identifier}.x', { d: 'good', t: '/etc/passwd' })).toBeNull()
  })

  test.each([
    "SELECT 'file(1)', `file` FROM t WHERE url = 'http://x' AND file IN (1)",
    'SELECT * FROM numbers(10)',
    'CREATE TABLE t (a Int8 DEFAULT 1)',
    "SELECT {p:String} -- file('x')\n FROM t",
  ])('%s stays inside', (sql) => {
    expect(refusal(sql)).toBeNull()
  })
})

test('any text survives as a string literal, and ends where it should', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      fc.pre(!text.includes('\\x'))
      const tokens = [...sqlTokens(`${sqlString(text)} x`)]
      expect(tokens.map(({ kind, text: value }) => [kind, value])).toEqual([
        ['string', text],
        ['word', 'x'],
      ])
    }),
  )
})

test('the engine’s errors keep number, name and words, once', () => {
  const text =
    'Code: 27. DB::Exception: Code: 27. DB::Exception: Cannot parse (at row 2)\n: (in file/uri /x/inserts/0a): data was parsed from file. (CANNOT_PARSE) (version 26.7.2.1). (CANNOT_PARSE)'
  const error = engineError(text)
  expect([error.code, error.errorName, error.message]).toEqual([
    27,
    'CANNOT_PARSE',
    'Cannot parse (at row 2)\n: data was parsed from file.',
  ])
  expect(errorText(error, '26.7')).toBe(
    'Code: 27. DB::Exception: Cannot parse (at row 2)\n: data was parsed from file. (CANNOT_PARSE) (version 26.7 (embedded))\n',
  )
  expect(engineError('something else')).toMatchObject({ code: 1001, message: 'something else' })
})

test.each([
  [60, 404],
  [62, 400],
  [159, 408],
  [164, 500],
  [202, 503],
  [241, 500],
  [252, 500],
  [497, 403],
  [516, 403],
])('error %i is answered with status %i', (code, status) => {
  expect(httpStatus(code)).toBe(status)
})
