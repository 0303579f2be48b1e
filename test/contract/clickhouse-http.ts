import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

/**
 * What a ClickHouse must do over HTTP for millrace: the surface of `@clickhouse/client` that the adapter uses, and
 * what the stages build on it. Run against the embedded engine and, where there is one, a real server.
 *
 * @param url asked once the engines run; null where there is no such server
 */
export function clickHouseHttpContract(url: () => string): void {
  const database = `contract_${randomUUID().replaceAll('-', '')}`
  let client: ClickHouseClient
  const rows = async <T>(query: string, query_params = {}, clickhouse_settings = {}) =>
    (await client.query({ query, query_params, clickhouse_settings, format: 'JSONEachRow' })).json<T>()
  const insert = async (table: string, body: string | Readable, clickhouse_settings = {}) => {
    const values = typeof body === 'string' ? Readable.from([Buffer.from(body)], { objectMode: false }) : body
    const { stream } = await client.exec({
      query: `INSERT INTO ${table} FORMAT JSONEachRow`,
      values,
      clickhouse_settings: { async_insert: 0, ...clickhouse_settings },
    })
    for await (const _ of stream);
  }
  const count = async (table: string) =>
    Number((await rows<{ n: number }>(`SELECT count() AS n FROM ${table}`))[0]?.n)
  const post = (query: Record<string, string>, body: string | Buffer = '', headers = {}) =>
    fetch(`${url()}/?${new URLSearchParams({ database, ...query })}`, { method: 'POST', body, headers })
  /** A query that does not end by itself. */
  const ENDLESS = 'SELECT count() FROM system.numbers WHERE NOT ignore(sipHash64(number))'
  const runs = async (queryId: string) =>
    Number(
      (
        await rows<{ n: number }>(
          `SELECT count() AS n FROM system.processes WHERE query_id = {id:String} OR Settings['log_comment'] = {id:String}`,
          { id: queryId },
        )
      )[0]?.n,
    )
  const until = async (condition: () => Promise<boolean>) => {
    while (!(await condition())) await pause(20)
  }

  beforeAll(async () => {
    const root = createClient({ url: url() })
    await root.command({ query: `CREATE DATABASE ${database}` })
    await root.close()
    client = createClient({ url: url(), database, request_timeout: 60_000, log: { level: 127 } })
    await client.command({
      query: `CREATE TABLE t (n Int64, s String) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100`,
    })
  })
  afterAll(async () => {
    await client.command({ query: `DROP DATABASE ${database} SYNC` })
    await client.close()
  })

  describe('errors', () => {
    test.each([
      ['SELECT * FROM absent', '60', 'UNKNOWN_TABLE', 404],
      ['SELECT absent FROM t', '47', 'UNKNOWN_IDENTIFIER', 404],
      ['SELEC 1', '62', 'SYNTAX_ERROR', 400],
      ['SELECT 1; SELECT 2', '62', 'SYNTAX_ERROR', 400],
      ['SELECT throwIf(1)', '395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO', 500],
      [
        'SELECT count() FROM numbers(1000000000000) SETTINGS max_execution_time = 0.2',
        '159',
        'TIMEOUT_EXCEEDED',
        408,
      ],
      [
        'SELECT groupArray(number) FROM numbers(1000000000) SETTINGS max_memory_usage = 10000000',
        '241',
        'MEMORY_LIMIT_EXCEEDED',
        500,
      ],
      [
        'SELECT number FROM numbers(1000) SETTINGS max_result_rows = 10',
        '396',
        'TOO_MANY_ROWS_OR_BYTES',
        500,
      ],
      ['SELECT * FROM absent_db.x', '81', 'UNKNOWN_DATABASE', 404],
      ['CREATE TABLE t (n Int64) ENGINE = Memory', '57', 'TABLE_ALREADY_EXISTS', 500],
    ])('%s: the client reads number %s and name %s', async (query, code, type, status) => {
      await expect(client.query({ query }).then((answer) => answer.text())).rejects.toMatchObject({
        code,
        type,
      })
      const answer = await post({}, query)
      expect([answer.status, answer.headers.get('x-clickhouse-exception-code')]).toEqual([status, code])
      expect(await answer.text()).toMatch(new RegExp(`^Code: ${code}\\. DB::Exception: .*\\(${type}\\)`, 's'))
    })

    test('an error after the head went out is an error for the reader, never a short result', async () => {
      const query = 'SELECT throwIf(number = 2000000), number FROM numbers(3000000)'
      const answer = await client.query({
        query,
        format: 'JSONEachRow',
        clickhouse_settings: { max_block_size: '10000' },
      })
      await expect(answer.json()).rejects.toThrow()
    })

    test('a setting that does not exist is an error', async () => {
      await expect(rows('SELECT 1', {}, { no_such_setting: 1 })).rejects.toMatchObject({ code: '115' })
    })

    test('in read-only mode nothing is written and nothing is made', async () => {
      const readonly = { readonly: '1' } as const
      await expect(insert('t', '{"n":1,"s":"x"}\n', readonly)).rejects.toMatchObject({ code: '164' })
      await expect(
        client.command({ query: 'CREATE TABLE u (n Int8) ENGINE = Memory', clickhouse_settings: readonly }),
      ).rejects.toMatchObject({ code: '164' })
      expect((await fetch(`${url()}/?query=${encodeURIComponent(`DROP TABLE ${database}.t`)}`)).status).toBe(
        500,
      )
      expect(await rows('SELECT 1 AS one', {}, readonly)).toEqual([{ one: 1 }])
    })

    test('an insert into more than 100 partitions fails whole', async () => {
      await client.command({
        query: 'CREATE TABLE p (n Int64, s String) ENGINE = MergeTree PARTITION BY n ORDER BY n',
      })
      const body = Array.from({ length: 101 }, (_, n) => `{"n":${n},"s":""}\n`).join('')
      await expect(insert('p', body)).rejects.toMatchObject({ code: '252' })
      expect(await count('p')).toBe(0)
    })

    test('a malformed row fails the insert whole and says which row', async () => {
      const before = await count('t')
      await expect(insert('t', '{"n":1,"s":"x"}\n{"n":2,"s":y}\n')).rejects.toThrow(/at row 2|row 2/)
      expect(await count('t')).toBe(before)
    })
  })

  describe('parameters', () => {
    test.each([
      ['String', "' OR 1=1 --", "' OR 1=1 --"],
      ['String', '\\', '\\'],
      ['String', "\\'; DROP TABLE t; --", "\\'; DROP TABLE t; --"],
      ['String', 'tab\tnewline\nreturn\rnul\0', 'tab\tnewline\nreturn\rnul\0'],
      ['String', '{x:String} /* %', '{x:String} /* %'],
      ['String', '😀 ü \u2028', '😀 ü \u2028'],
      ['Int64', 9007199254740991, 9007199254740991],
      ['Int64', -1, -1],
      ['Float64', 0.1, 0.1],
      ['Bool', true, true],
      ['Nullable(String)', null, null],
      ['Array(String)', ["it's", 'a\\b', ''], ["it's", 'a\\b', '']],
      ['Array(Int64)', [1, 2], [1, 2]],
      ["DateTime64(3, 'UTC')", '2026-01-31 23:59:59.123', '2026-01-31 23:59:59.123'],
    ])('%s %j comes back as it went', async (type, value, expected) => {
      expect(await rows(`SELECT {x:${type}} AS x`, { x: value })).toEqual([{ x: expected }])
    })

    test('any text is bound as a value', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.string({ unit: 'binary' }), { maxLength: 20 }), async (texts) => {
          expect(await rows('SELECT {x:Array(String)} AS x', { x: texts })).toEqual([{ x: texts }])
        }),
        { numRuns: 50 },
      )
    })

    test('parameters of concurrent queries never mix', async () => {
      const answers = await Promise.all(
        Array.from({ length: 40 }, (_, n) =>
          rows('SELECT {x:String} AS x, {y:Int64} AS y', { x: `q${n}`, y: n }),
        ),
      )
      expect(answers).toEqual(Array.from({ length: 40 }, (_, n) => [{ x: `q${n}`, y: n }]))
    })

    test('a missing parameter is an error', async () => {
      await expect(rows('SELECT {x:String} AS x')).rejects.toMatchObject({ code: '456' })
    })
  })

  describe('results', () => {
    test('settings of one query do not stay for the next', async () => {
      const value = () => rows("SELECT getSetting('max_block_size') AS v")
      const before = await value()
      expect(
        await rows("SELECT getSetting('max_block_size') AS v", {}, { max_block_size: '777' }),
      ).not.toEqual(before)
      expect(await value()).toEqual(before)
    })

    test.each(['JSON', 'JSONCompact', 'JSONEachRow', 'CSVWithNames', 'TabSeparated'] as const)(
      '%s of many blocks is one well-formed result',
      async (format) => {
        const answer = await client.query({ query: 'SELECT number FROM numbers(200000)', format })
        const text = await answer.text()
        const lines = text.trimEnd().split('\n')
        if (format === 'JSON' || format === 'JSONCompact') expect(JSON.parse(text).data).toHaveLength(200_000)
        else expect(lines).toHaveLength(format === 'CSVWithNames' ? 200_001 : 200_000)
        if (format === 'CSVWithNames') expect(lines.filter((line) => line === '"number"')).toHaveLength(1)
      },
    )

    test('the answer carries query id, format, summary and time zone', async () => {
      const answer = await post({ query_id: 'own-id', query: 'SELECT 1 FORMAT CSV' })
      expect(await answer.text()).toBe('1\n')
      expect(answer.headers.get('x-clickhouse-query-id')).toBe('own-id')
      expect(answer.headers.get('x-clickhouse-format')).toBe('CSV')
      expect(answer.headers.get('x-clickhouse-timezone')).toBe('UTC')
      expect(JSON.parse(answer.headers.get('x-clickhouse-summary') ?? '')).toHaveProperty('read_rows')
    })

    test('compressed both ways it is the same', async () => {
      const compressed = createClient({
        url: url(),
        database,
        log: { level: 127 },
        compression: { request: true, response: true },
      })
      const answer = await compressed.query({
        query: 'SELECT number FROM numbers(300000)',
        format: 'JSONEachRow',
      })
      expect(await answer.json()).toHaveLength(300_000)
      await expect(compressed.query({ query: 'SELECT absent' })).rejects.toMatchObject({ code: '47' })
      await compressed.close()
      const body = gzipSync(Array.from({ length: 1000 }, (_, n) => `{"n":${n},"s":"gz"}\n`).join(''))
      const inserted = await post({ query: 'INSERT INTO t FORMAT JSONEachRow', async_insert: '0' }, body, {
        'content-encoding': 'gzip',
      })
      expect(inserted.status).toBe(200)
      expect(await rows("SELECT count() AS n FROM t WHERE s = 'gz'")).toEqual([{ n: 1000 }])
    })

    test('a long result is sent while it is made, and a reader who goes away ends the query', async () => {
      const queryId = randomUUID()
      const { stream } = await client.exec({
        query: 'SELECT number FROM system.numbers FORMAT TabSeparated',
        query_id: queryId,
        clickhouse_settings: { cancel_http_readonly_queries_on_client_close: 1 },
      })
      let bytes = 0
      for await (const chunk of stream) {
        bytes += chunk.length
        if (bytes > 4_000_000) break
      }
      await until(async () => (await runs(queryId)) === 0)
    })
  })

  describe('cancelling', () => {
    test('an aborted request ends its query', async () => {
      const queryId = randomUUID()
      const abort = new AbortController()
      const asked = client.query({
        query: ENDLESS,
        query_id: queryId,
        abort_signal: abort.signal,
        clickhouse_settings: { cancel_http_readonly_queries_on_client_close: 1 },
      })
      const refused = expect(asked).rejects.toThrow()
      await until(async () => (await runs(queryId)) === 1)
      abort.abort()
      await refused
      await until(async () => (await runs(queryId)) === 0)
    })

    test('KILL QUERY … SYNC goes by the client’s id and returns when the query has ended', async () => {
      const queryId = randomUUID()
      const killed = expect(client.query({ query: ENDLESS, query_id: queryId })).rejects.toMatchObject({
        code: '394',
      })
      await until(async () => (await runs(queryId)) === 1)
      await client.command({
        query: 'KILL QUERY WHERE query_id = {id:String} SYNC',
        query_params: { id: queryId },
      })
      await killed
      expect(await runs(queryId)).toBe(0)
    })
  })

  describe('inserts', () => {
    test('a streamed body in many chunks is one insert', async () => {
      const before = await count('t')
      const lines = function* () {
        for (let n = 0; n < 50_000; n++) yield Buffer.from(`{"n":${n},"s":"stream${'x'.repeat(50)}"}\n`)
      }
      await insert('t', Readable.from(lines(), { objectMode: false }))
      expect(await count('t')).toBe(before + 50_000)
    })

    test('a body that breaks off leaves nothing', async () => {
      const before = await count('t')
      const broken = Readable.from(
        (function* () {
          yield Buffer.from('{"n":1,"s":"broken"}\n')
          throw new Error('the sender dies')
        })(),
        { objectMode: false },
      )
      await expect(insert('t', broken)).rejects.toThrow()
      expect(await count('t')).toBe(before)
    })

    test('under pinned settings the same token inserts once, another one again', async () => {
      await client.command({
        query:
          'CREATE TABLE d (n Int64, s String) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100',
      })
      const body = Array.from({ length: 10_000 }, (_, n) => `{"n":${n},"s":"x"}\n`).join('')
      const pinned = {
        input_format_parallel_parsing: 0,
        max_insert_threads: '1',
        max_insert_block_size: '20000',
        min_insert_block_size_rows: '20000',
        min_insert_block_size_bytes: '0',
      } as const
      for (const token of ['a', 'a', 'b', 'a'])
        await insert('d', body, { ...pinned, insert_deduplication_token: token })
      expect(await count('d')).toBe(20_000)
      expect(
        await rows(
          `SELECT uniqExact(name) AS parts, max(rows) AS rows FROM system.parts WHERE database = currentDatabase() AND table = 'd' AND level = 0`,
        ),
      ).toEqual([{ parts: 2, rows: 10_000 }])
    })

    test('JSON objects are kept as the text they came in, times in every ISO form', async () => {
      await client.command({
        query: `CREATE TABLE j (p String, q Nullable(String), at DateTime64(3, 'UTC'), l Array(String)) ENGINE = MergeTree ORDER BY p`,
      })
      const p = '{"a":{"b":[1,2.50,"\\u00fc"]},"__proto__":{}}'
      await insert(
        'j',
        `{"p":${p},"q":null,"at":"2026-01-31T23:59:59.123Z","l":null,"unknown":{"x":[1]}}\n`,
        {
          date_time_input_format: 'best_effort',
          input_format_skip_unknown_fields: 1,
          input_format_null_as_default: 1,
        },
      )
      expect(
        await rows(
          'SELECT p, q, toUnixTimestamp64Milli(at) AS at, l FROM j',
          {},
          { output_format_json_quote_64bit_integers: 0 },
        ),
      ).toEqual([{ p, q: null, at: Date.parse('2026-01-31T23:59:59.123Z'), l: [] }])
    })

    test('rows in the text of a statement work too', async () => {
      await client.command({
        query: "INSERT INTO t SETTINGS async_insert = 0 VALUES (-5, 'it''s; a \\'row\\'')",
      })
      expect(await rows('SELECT s FROM t WHERE n = -5')).toEqual([{ s: "it's; a 'row'" }])
    })
  })

  test('heavy queries do not hold up an insert', async () => {
    const ids = Array.from({ length: 8 }, () => randomUUID())
    let ended = 0
    for (const query_id of ids)
      client.query({ query: ENDLESS, query_id }).catch(() => {
        ended += 1
      })
    const running = { query: 'KILL QUERY WHERE query_id IN {ids:Array(String)} TEST', query_params: { ids } }
    await until(async () => {
      const { stream } = await client.exec(running)
      const killable = (await Array.fromAsync(stream)).join('').trim().split('\n')
      return killable.length >= 4
    })
    await insert('t', '{"n":-7,"s":"beside"}\n')
    // The queries cannot have ended by themselves; those that waited start as others are killed.
    expect(ended).toBe(0)
    await until(async () => {
      await client.command({
        query: 'KILL QUERY WHERE query_id IN {ids:Array(String)} SYNC',
        query_params: { ids },
      })
      return ended === ids.length
    })
    expect(await rows('SELECT s FROM t WHERE n = -7')).toEqual([{ s: 'beside' }])
  })

  test('parameters may be as long as hundreds of kilobytes', async () => {
    const numbers = Array.from({ length: 10_000 }, (_, n) => 1_795_269_600_000 + n)
    const [row] = await rows<{ n: number }>('SELECT length({numbers:Array(Int64)}) AS n', { numbers })
    expect(Number(row?.n)).toBe(10_000)
  })

  test('ping answers', async () => {
    expect(await client.ping()).toMatchObject({ success: true })
    expect(await (await fetch(`${url()}/ping`)).text()).toBe('Ok.\n')
    expect(await (await fetch(`${url()}/`)).text()).toBe('Ok.\n')
  })
}
