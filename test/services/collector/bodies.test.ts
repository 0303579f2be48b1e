import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openCollector } from './open-collector.ts'

interface BodyCase {
  readonly name: string
  readonly body?: string
  /** Text and how many times it is repeated. */
  readonly parts?: readonly (readonly [string, number])[]
  readonly base64?: string
  readonly headers?: Record<string, string>
  readonly status: number
  /** Of the whole request's refusal. */
  readonly code?: string
  /** Per record in `events.raw`: accepted, or the code it was refused with. */
  readonly records: readonly string[]
}

const cases = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/collector/bodies.json'), 'utf8'),
) as readonly BodyCase[]

for (const {
  name,
  body,
  parts = [[body ?? '', 1] as const],
  base64,
  headers = {},
  status,
  code,
  records,
} of cases) {
  test(`body: ${name} → ${code ?? (records.join(' ') || 'nothing')}`.slice(0, 120), async () => {
    const collector = openCollector()
    const bytes =
      base64 === undefined
        ? Buffer.from(parts.map(([text, times]) => text.repeat(times)).join(''))
        : Buffer.from(base64, 'base64')
    const answer = await collector.post(bytes, { headers })
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(collector.raw().map((raw) => raw.refused?.code ?? 'accepted')).toEqual(records)
    if (status !== 200) expect(Object.keys(answer.body)).toEqual(['type', 'code', 'detail', 'attr'])
    else
      expect(answer.body.results.map((result: { code?: string }) => result.code ?? 'accepted')).toEqual(
        records,
      )
    expect(collector.inFlightBytes()).toBe(0)
  })
}

const good = JSON.stringify({
  batch: [
    { event: 'a', event_id: '1', properties: { n: [1, -2.5e3, null, true], t: 'x"\\\u00e9\ud83d\ude00' } },
    { event: 'b', distinct_id: 'u', context: { page: { url: 'https://example.org/?a=b' } } },
  ],
  sent_at: '2026-11-22T12:00:00Z',
})

test('bodies cut, doubled, flipped or spliced at random never crash, and records are what was answered', async () => {
  const collector = openCollector()
  const change = fc.oneof(
    fc.record({ at: fc.nat(good.length), byte: fc.nat(255) }),
    fc.record({ at: fc.nat(good.length), drop: fc.nat(20) }),
    fc.record({
      at: fc.nat(good.length),
      text: fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', ':', '\n', '\\ud800', '1e999'),
    }),
  )
  const types = fc.constantFrom('application/json', 'application/x-ndjson')
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), types, async (changes, type) => {
      let body = Buffer.from(good)
      for (const one of changes) {
        if ('byte' in one) body[Math.min(one.at, body.length - 1)] = one.byte
        else if ('drop' in one)
          body = Buffer.concat([body.subarray(0, one.at), body.subarray(one.at + one.drop)])
        else body = Buffer.concat([body.subarray(0, one.at), Buffer.from(one.text), body.subarray(one.at)])
        if (body.length === 0) body = Buffer.from(' ')
      }
      const before = collector.records.length
      const answer = await collector.post(body, { headers: { 'content-type': type } })
      expect([200, 400]).toContain(answer.status)
      const raw = collector.raw(before)
      expect(raw.map((one) => one.event_id)).toEqual(
        (answer.body.results ?? []).map((result: { event_id: string }) => result.event_id),
      )
    }),
    { numRuns: 1500 },
  )
  expect(collector.logged).toEqual([])
  expect(collector.inFlightBytes()).toBe(0)
})

test('any JSON events arrive equal to what was sent', async () => {
  const collector = openCollector()
  const event = fc.record({
    event: fc.string({ minLength: 1, maxLength: 50, unit: 'grapheme' }),
    properties: fc.jsonValue({ maxDepth: 8 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 5 }), fc.boolean(), async (events, lines) => {
      fc.pre(!lines || events.length > 0)
      const before = collector.records.length
      const body = lines
        ? events.map((one) => JSON.stringify(one)).join('\n')
        : JSON.stringify(events, null, 1)
      await collector.post(body, {
        headers: { 'content-type': lines ? 'application/x-ndjson' : 'application/json' },
      })
      expect(
        collector
          .raw()
          .slice(before)
          .map((raw) => raw.event),
      ).toEqual(JSON.parse(JSON.stringify(events)))
    }),
    { numRuns: 300 },
  )
})
