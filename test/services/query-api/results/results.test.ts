import { expect, test } from 'vitest'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../../services/core/runtime/metrics.ts'
import { ApiError } from '../../../../services/query-api/http/api-error.ts'
import type { ActionDefinition, Definitions } from '../../../../services/query-api/insights/definitions.ts'
import { type Bindings, createBindings } from '../../../../services/query-api/query/bindings.ts'
import { listedMembers } from '../../../../services/query-api/query/filter-sql.ts'
import type { Question } from '../../../../services/query-api/query/question.ts'
import { zoneOf } from '../../../../services/query-api/query/question.ts'
import type { RefreshMode } from '../../../../services/query-api/results/refresh.ts'
import {
  ASYNC_WAITING_MAX,
  createResults,
  LAZY_FACTOR,
  type ResultRequest,
} from '../../../../services/query-api/results/results.ts'
import { createManualClock, settle } from '../../../helpers/manual-clock.ts'

const FRESH_MS = 60_000
const MINUTE = 60_000

function questionOf(id = 'shop', timezone = 'UTC', signal = new AbortController().signal): Question {
  const dataset = { id, account: 'acme', timezone }
  return { dataset, zone: zoneOf(dataset), signal }
}

/** Computations that end when the test says so. */
function opened(ask: (sql: string) => Promise<unknown[]> = async () => []) {
  const clock = createManualClock()
  const lines: string[] = []
  let action: ActionDefinition = { id: 1, name: 'a', steps: [] }
  let members = ['p1']
  const definitions: Definitions = {
    action: async () => action,
    cohort: async (_, id) => ({ id, name: 'c', members: listedMembers(members) }),
    testAccountFilters: async () => ({ kind: 'AND', parts: [] }),
  }
  const asked: string[] = []
  let drawn = 0
  const results = createResults({
    needs: {
      ask: async <T>(_question: Question, sqlOf: (bindings: Bindings) => string) => {
        const sql = sqlOf({ ...createBindings(), bind: (value) => JSON.stringify(value) })
        asked.push(sql)
        return (await ask(sql)) as T[]
      },
      askTable: async () => ({ types: [], rows: [] }),
      clock,
      definitions,
    },
    limits: { resultsBytesMax: 100_000, resultsAgeMaxMs: 24 * 60 * MINUTE, asyncMax: 2 },
    clock,
    randomBytes: (size) => new Uint8Array(size).fill(++drawn),
    metrics: createMetrics(),
    logger: createLogger('test', 'debug', { write: (line: string) => lines.push(line) }),
  })
  const computing: { signal: AbortSignal; end: (value: unknown) => void; fail: (error: Error) => void }[] = []
  const request = (
    over: Partial<ResultRequest> & { mode?: RefreshMode; name?: string } = {},
  ): ResultRequest => ({
    question: questionOf(),
    asked: { insight: 'TRENDS' },
    freshMs: FRESH_MS,
    refresh: { refresh: over.mode ?? 'blocking', clientQueryId: over.name ?? null },
    compute: async (_, question) => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      computing.push({ signal: question.signal, end: resolve, fail: reject })
      question.onStatement?.('statement-1')
      question.signal.addEventListener('abort', () => reject(question.signal.reason))
      return promise
    },
    ...over,
  })
  const compute = async (value: unknown, over: Parameters<typeof request>[0] = {}) =>
    results.answer(request({ compute: async () => value, ...over }))
  return {
    results,
    clock,
    lines,
    asked,
    request,
    compute,
    computing,
    changeAction: (name: string) => {
      action = { ...action, name }
    },
    changeMembers: (people: string[]) => {
      members = people
    },
  }
}

test('a result is kept as long as it is fresh, and computed anew then', async () => {
  const { compute, clock } = opened()
  const startMs = clock.now()
  expect(await compute([1])).toMatchObject({
    result: [1],
    isCached: false,
    lastRefreshMs: startMs,
    nextRefreshMs: startMs + FRESH_MS,
    status: null,
  })
  await clock.advance(FRESH_MS - 1)
  expect(await compute([2])).toMatchObject({ result: [1], isCached: true, lastRefreshMs: startMs })
  await clock.advance(1)
  expect(await compute([3])).toMatchObject({
    result: [3],
    isCached: false,
    lastRefreshMs: startMs + FRESH_MS,
  })
})

test.each([
  ['another question', { asked: { insight: 'FUNNELS' } }],
  ['another dataset', { question: questionOf('blog') }],
  ['another time zone', { question: questionOf('shop', 'Europe/Berlin') }],
])('%s has a result of its own', async (_, over) => {
  const { compute } = opened()
  await compute('first')
  expect(await compute('second', over)).toMatchObject({ result: 'second', isCached: false })
  expect(await compute('third')).toMatchObject({ result: 'first', isCached: true })
})

test('a result is as good as the actions and cohorts that it was made from', async () => {
  const { results, request, changeAction, changeMembers } = opened()
  const ask = async (value: number) => {
    const answer = await results.answer(
      request({
        compute: async ({ definitions }) => {
          await definitions.action('shop', 1)
          await definitions.cohort('shop', 2)
          return value
        },
      }),
    )
    return answer.result
  }
  expect([await ask(1), await ask(2)]).toEqual([1, 1])
  changeAction('renamed')
  expect([await ask(3), await ask(4)]).toEqual([3, 3])
  changeMembers(['p1', 'p2'])
  expect([await ask(5), await ask(6)]).toEqual([5, 5])
})

test('who asks for the same meanwhile gets the same computation', async () => {
  const { results, request, computing } = opened()
  const both = Promise.all([results.answer(request()), results.answer(request({ mode: 'force_blocking' }))])
  await settle()
  expect(computing).toHaveLength(1)
  computing[0]!.end('one')
  expect((await both).map(({ result }) => result)).toEqual(['one', 'one'])
})

test('a computation ends when the last one who waits has gone, and not before', async () => {
  const { results, request, computing } = opened()
  const [one, two] = [new AbortController(), new AbortController()]
  const waits = [one, two].map(({ signal }) =>
    results.answer(request({ question: questionOf('shop', 'UTC', signal) })),
  )
  const ends = Promise.allSettled(waits)
  await settle()
  one.abort(new Error('gone'))
  await settle()
  expect(computing[0]!.signal.aborted).toBe(false)
  two.abort(new Error('gone'))
  await settle()
  expect(computing[0]!.signal.aborted).toBe(true)
  expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  // Nothing of it is in the way of the next.
  const next = results.answer(request({ compute: async () => 'again' }))
  expect(await next).toMatchObject({ result: 'again', isCached: false })
})

test('an asynchronous question answers at once, goes on by itself, and its result is kept', async () => {
  const { results, request, computing, compute, clock } = opened()
  const begun = await results.answer(request({ mode: 'async', name: 'mine' }))
  expect(begun).toMatchObject({ result: null, isCached: false, lastRefreshMs: null })
  expect(begun.status).toMatchObject({
    id: 'mine',
    complete: false,
    error: false,
    results: null,
    end_time: null,
  })
  await settle()
  expect(await results.status(questionOf(), 'mine')).toMatchObject({ complete: false })
  await clock.advance(5_000)
  computing[0]!.end({ rows: 3 })
  await settle()
  expect(await results.status(questionOf(), 'mine')).toMatchObject({
    complete: true,
    error: false,
    results: { rows: 3 },
    end_time: new Date(clock.now()).toISOString(),
  })
  expect(await results.status(questionOf('blog'), 'mine')).toBe(null)
  expect(await compute('other')).toMatchObject({ result: { rows: 3 }, isCached: true })
})

test('asking again asynchronously begins nothing twice', async () => {
  const { results, request, computing } = opened()
  for (let i = 0; i < 3; i++) await results.answer(request({ mode: 'force_async', name: 'mine' }))
  await results.answer(request({ mode: 'async' }))
  await settle()
  expect(computing).toHaveLength(1)
  await expect(
    results.answer(request({ mode: 'async', name: 'mine', asked: 'something else' })),
  ).rejects.toMatchObject({ status: 409 })
})

test('how far it is, is asked of ClickHouse by the ids of its statements', async () => {
  const row = { rows_read: '7', bytes_read: 8, estimated_rows_total: 9, time_elapsed: 0.5 }
  const { results, request, asked } = opened(async () => [row])
  await results.answer(request({ mode: 'async', name: 'mine' }))
  await settle()
  expect((await results.status(questionOf(), 'mine'))?.query_progress).toEqual({ ...row, rows_read: 7 })
  expect(asked[0]).toContain(`IN (["statement-1"])`)
})

test('where ClickHouse may not tell, nothing is told', async () => {
  const { results, request } = opened(async () => {
    throw new DependencyError('clickhouse', 'denied', 'no')
  })
  await results.answer(request({ mode: 'async', name: 'mine' }))
  await settle()
  expect(await results.status(questionOf(), 'mine')).toMatchObject({ complete: false, query_progress: null })
})

test('what fails is told to whoever asks after it, and only known reasons are', async () => {
  const { results, request, computing, lines } = opened()
  for (const [name, error, told] of [
    [
      'a',
      new ApiError(400, { type: 'validation_error', code: 'x', detail: 'Too much.', attr: null }),
      'Too much.',
    ],
    ['b', new Error('secret'), /^Something went wrong/],
  ] as const) {
    await results.answer(request({ mode: 'async', name, asked: name }))
    await settle()
    computing.at(-1)!.fail(error)
    await settle()
    expect(await results.status(questionOf(), name)).toMatchObject({
      complete: true,
      error: true,
      error_message: told instanceof RegExp ? expect.stringMatching(told) : told,
      results: null,
    })
  }
  expect(lines.filter((line) => line.includes('asynchronous question failed'))).toHaveLength(1)
})

test('what is cancelled ends, unless somebody else waits for it', async () => {
  const { results, request, computing } = opened()
  await results.answer(request({ mode: 'async', name: 'mine' }))
  const waiting = results.answer(request({ name: 'theirs' }))
  await settle()
  expect([
    results.cancel('blog', 'mine'),
    results.cancel('shop', 'mine'),
    results.cancel('shop', 'mine'),
  ]).toEqual([false, true, false])
  expect(await results.status(questionOf(), 'mine')).toMatchObject({
    complete: true,
    error: true,
    error_message: 'This question was cancelled.',
  })
  expect(computing[0]!.signal.aborted).toBe(false)
  const ended = expect(waiting).rejects.toMatchObject({ status: 400, body: { code: 'query_cancelled' } })
  expect(results.cancel('shop', 'theirs')).toBe(true)
  await ended
  expect(computing[0]!.signal.aborted).toBe(true)
})

test('modes: what is kept, what is begun beside it, and what is waited for', async () => {
  const { results, request, compute, clock } = opened()
  const sources = async () => {
    const modes = ['force_cache', 'lazy_async', 'async', 'blocking'] as const
    const told: string[] = []
    for (const mode of modes) {
      const { isCached, status } = await results.answer(request({ mode, compute: async () => 'new' }))
      told.push(`${mode}: ${isCached ? 'kept' : 'not kept'}${status === null ? '' : ', begun'}`)
      // What was begun does not change what the next one finds.
      await compute('old', { mode: 'force_blocking' })
      await clock.advance(age)
    }
    return told
  }
  let age = 0
  expect((await results.answer(request({ mode: 'force_cache' }))).result).toBe(null)
  await compute('old')
  expect(await sources()).toEqual(['force_cache: kept', 'lazy_async: kept', 'async: kept', 'blocking: kept'])
  age = FRESH_MS
  await clock.advance(age)
  expect(await sources()).toEqual([
    'force_cache: kept',
    'lazy_async: kept',
    'async: kept, begun',
    'blocking: not kept',
  ])
  age = FRESH_MS * LAZY_FACTOR
  await clock.advance(age)
  expect((await sources())[1]).toBe('lazy_async: kept, begun')
})

test('so many asynchronous questions of a dataset wait, and one more is refused', async () => {
  const { results, request, computing } = opened()
  for (let i = 0; i <= ASYNC_WAITING_MAX; i++) await results.answer(request({ mode: 'async', asked: i }))
  await settle()
  expect(computing).toHaveLength(1)
  await expect(results.answer(request({ mode: 'async', asked: 'one more' }))).rejects.toMatchObject({
    status: 429,
  })
  await results.answer(request({ mode: 'async', question: questionOf('blog') }))
  await settle()
  expect(computing).toHaveLength(2)
})
