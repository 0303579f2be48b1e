import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Checkpoint } from '../../../../services/cli/import/checkpoint.ts'
import { importAccessLog } from '../../../../services/cli/import/import-access-log.ts'
import { createLineIds } from '../../../../services/cli/import/line-ids.ts'
import { splitLines } from '../../../../services/cli/import/log-line-reader.ts'
import type { PostAnswer } from '../../../../services/cli/ingest/http-post.ts'

const line = (path: string, second = 0) =>
  `203.0.113.9 - - [22/Nov/2026:10:00:0${second} +0000] "GET ${path} HTTP/1.1" 200 5 "-" "UA"`
const PLAIN = [line('/a'), line('/b'), 'garbage', line('/a'), line('/c', 1), line('/d', 2), line('/e', 3)]

/** A collector that knows every id it ever took, and stops answering after so many requests. */
function memoryCollector(answersMax = Number.POSITIVE_INFINITY, takesUnanswered = false) {
  const events = new Map<string, string>()
  const collector = { events, duplicates: 0, answersMax, requests: 0 }
  const post = async (body: string): Promise<PostAnswer> => {
    collector.requests++
    const isAnswered = collector.answersMax-- > 0
    const batch = JSON.parse(body).batch as { event_id: string }[]
    if (isAnswered || takesUnanswered) {
      for (const event of batch) {
        if (events.has(event.event_id)) {
          collector.duplicates++
          expect(JSON.stringify(event)).toBe(events.get(event.event_id))
        }
        events.set(event.event_id, JSON.stringify(event))
      }
    }
    if (!isAnswered) throw new Error('connection reset')
    const results = batch.map(() => ({ status: 'accepted' }))
    return { status: 200, retryAfterMs: null, body: JSON.stringify({ results }) }
  }
  return { collector, post }
}

function memoryCheckpoint() {
  const store = {
    kept: null as Checkpoint | null,
    read: () => store.kept,
    write: (checkpoint: Checkpoint) => {
      store.kept = checkpoint
    },
  }
  return store
}

function run(
  content: string,
  post: (body: string) => Promise<PostAnswer>,
  checkpoint: ReturnType<typeof memoryCheckpoint>,
  batchEvents = 2,
) {
  let nowMs = 0
  return importAccessLog(
    {
      post,
      clock: { now: () => 0, monotonic: () => (nowMs += 600), sleep: async () => {} },
      random: () => 0,
      signal: new AbortController().signal,
      lines: () =>
        splitLines(
          (async function* () {
            yield Buffer.from(content)
          })(),
          1000,
        ),
      ids: () => createLineIds('file'),
      checkpoint,
    },
    {
      site: 'https://www.example.com',
      key: 'k',
      batchEvents,
      concurrency: 3,
      policy: { triesMax: 1, baseDelayMs: 1, maxDelayMs: 1 },
    },
    () => {},
  )
}
const whole = `${PLAIN.join('\n')}\n`

test('an import that broke off goes on after the last line acknowledged without a gap', async () => {
  const checkpoint = memoryCheckpoint()
  const { collector, post } = memoryCollector(1)
  const first = await run(whole, post, checkpoint)
  expect(first.stopped).toBe('connection reset')
  expect(checkpoint.kept).toMatchObject({ lines: 2, accepted: 2 })
  collector.answersMax = Number.POSITIVE_INFINITY
  const second = await run(whole, post, checkpoint)
  expect(second).toMatchObject({ stopped: null, resumedLines: 2, lines: 7, accepted: 6, malformed: 1 })
  expect(collector).toMatchObject({ duplicates: 0 })
  expect(collector.events.size).toBe(6)
})

test('wherever it is interrupted, and whether or not the last request was taken, every line arrives once', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 30 }),
      fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 6 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 5 }),
      async (paths, interruptions, takesUnanswered, batchEvents) => {
        const content = paths.map((n) => (n === 5 ? 'garbage\n' : `${line(`/${n}`)}\n`)).join('')
        const good = paths.filter((n) => n !== 5).length
        const checkpoint = memoryCheckpoint()
        const { collector, post } = memoryCollector(0, takesUnanswered)
        for (const answers of interruptions) {
          collector.answersMax = answers
          await run(content, post, checkpoint, batchEvents)
        }
        collector.answersMax = Number.POSITIVE_INFINITY
        const report = await run(content, post, checkpoint, batchEvents)
        expect(collector.events.size).toBe(good)
        expect(report).toMatchObject({ stopped: null, accepted: good, malformed: paths.length - good })
      },
    ),
  )
})

test('the same file again sends nothing; without its checkpoint it sends the same ids, so nothing is added', async () => {
  const checkpoint = memoryCheckpoint()
  const { collector, post } = memoryCollector()
  await run(whole, post, checkpoint)
  const requests = collector.requests
  expect(await run(whole, post, checkpoint)).toMatchObject({ resumedLines: 7, accepted: 6, stopped: null })
  expect(collector.requests).toBe(requests)
  await run(whole, post, memoryCheckpoint(), 5)
  expect(collector.events.size).toBe(6)
  expect(collector.duplicates).toBe(6)
})

test('a file that grew is continued, one with another content is read from its first line', async () => {
  const checkpoint = memoryCheckpoint()
  const { collector, post } = memoryCollector()
  await run(whole, post, checkpoint)
  const grown = await run(`${whole}${line('/new', 9)}\n`, post, checkpoint)
  expect(grown).toMatchObject({ resumedLines: 7, lines: 8, startedOver: false })
  expect(collector.events.size).toBe(7)
  for (const other of [
    whole.replace('/b', '/changed').concat(`${line('/x')}\n`.repeat(3)),
    `${PLAIN[0]}\n`,
  ]) {
    const again = await run(other, post, checkpoint)
    expect(again).toMatchObject({ startedOver: true, resumedLines: 0, stopped: null })
  }
})

test('a last line that is still being written is read again as a whole next time', async () => {
  const checkpoint = memoryCheckpoint()
  const { collector, post } = memoryCollector()
  const half = line('/late', 5)
  await run(`${whole}${half.slice(0, 60)}`, post, checkpoint)
  expect(checkpoint.kept?.lines).toBe(7)
  await run(`${whole}${half}\n`, post, checkpoint)
  expect([...collector.events.values()].filter((event) => event.includes('/late')).length).toBe(1)
})

test('lines that are not used are counted by fault and shown', async () => {
  const { post } = memoryCollector()
  const report = await run(`${whole}${'x'.repeat(2000)}\n`, post, memoryCheckpoint())
  expect(report.malformedByFault).toEqual({ not_combined_format: 1, too_long: 1 })
  expect(report.examples).toEqual([
    { line: 3, fault: 'not_combined_format', beginning: 'garbage' },
    { line: 8, fault: 'too_long', beginning: 'x'.repeat(200) },
  ])
})

test('a refused request ends it with what the collector said', async () => {
  const refuse = async () => ({ status: 401, retryAfterMs: null, body: '{"code":"unknown_key"}' })
  const checkpoint = memoryCheckpoint()
  const report = await run(whole, refuse, checkpoint)
  expect(report.stopped).toContain('401')
  expect(checkpoint.kept).toBe(null)
})

test('page address, visitor and server facts are those of the line', async () => {
  const { collector, post } = memoryCollector()
  await run(`${line('/a?x=1')}\n`, post, memoryCheckpoint())
  expect(JSON.parse([...collector.events.values()][0]!)).toEqual({
    event_id: expect.stringMatching(/^log-[0-9a-f]{32}$/),
    event: 'page_view',
    distinct_id: expect.stringMatching(/^visitor-[0-9a-f]{24}$/),
    anonymous_id: expect.stringMatching(/^visitor-/),
    timestamp: '2026-11-22T10:00:00.000Z',
    properties: { method: 'GET', status: 200, response_bytes: 5, http_version: '1.1' },
    context: {
      page: { url: 'https://www.example.com/a?x=1' },
      library: { name: 'access_log', version: '1' },
      ip: '203.0.113.9',
      userAgent: 'UA',
    },
  })
})
