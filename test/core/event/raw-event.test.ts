import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RawEvent } from '../../../schemas/raw-event/v1.ts'
import {
  decodeRawEvent,
  distinctIdOf,
  type RequestEnvelope,
  rawEventEncoder,
} from '../../../services/core/event/raw-event.ts'
import { encodeRawEvent } from '../../helpers/encode-raw-event.ts'

const ENVELOPE: RequestEnvelope = {
  dataset_id: 'shop',
  collector_time: 1_800_000_000_000,
  protocol: 'native',
  ip: '192.0.2.1',
  user_agent: 'a "quoted" agent',
  sent_at: null,
}
const REFUSED = {
  code: 'invalid_type',
  details: ['event is not text.'],
  payload: '{"event":1}',
  payload_bytes: 11,
  event: null,
  distinct_id: 'u',
} as const

test('what lies in the topic and is no raw event is undecodable, with a sentence', () => {
  const good = { v: 1, event_id: 'e', ...ENVELOPE, event: { event: 'x' } }
  const wrong: readonly unknown[] = [
    null,
    1,
    [],
    { ...good, v: 2 },
    { ...good, event_id: 7 },
    { ...good, event_id: '' },
    { ...good, dataset_id: null },
    { ...good, collector_time: '2026' },
    { ...good, collector_time: 9e15 },
    { ...good, protocol: 'carrier pigeon' },
    { ...good, ip: 5 },
    { ...good, sent_at: 5 },
    { ...good, event: [] },
    { ...good, event: null },
    { ...good, event: undefined },
    { ...good, refused: REFUSED },
    { ...good, event: undefined, refused: { ...REFUSED, code: 'because' } },
    { ...good, event: undefined, refused: { ...REFUSED, details: 'x' } },
    { ...good, event: undefined, refused: { ...REFUSED, payload: null } },
  ]
  for (const value of wrong) {
    const decoded = decodeRawEvent(Buffer.from(JSON.stringify(value)))
    expect([value, decoded.ok]).toEqual([value, false])
  }
  const raw = JSON.stringify(good)
  const deep = `${raw.slice(0, -2)},"p":${'['.repeat(5000)}${']'.repeat(5000)}}}`
  expect(() => JSON.parse(deep)).not.toThrow()
  for (const bytes of [
    null,
    Buffer.alloc(0),
    Buffer.from('{'),
    Buffer.from([0x22, 0xff, 0x22]),
    Buffer.from(deep),
    Buffer.from(raw.replace('"x"', '"\\ud800"')),
    Buffer.from(raw.replace('"x"', '1e400')),
  ]) {
    const decoded = decodeRawEvent(bytes)
    expect(decoded.ok).toBe(false)
    expect(decoded.ok ? '' : decoded.detail).toMatch(/\.$/)
  }
  expect(decodeRawEvent(Buffer.from(raw)).ok).toBe(true)
})

test('bytes of any kind never make decoding throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(decodeRawEvent(bytes).ok).toBe(false)
    }),
  )
})

test('an event’s bytes stand in the record as the client wrote them', () => {
  const sent = '{ "event":"x", "properties":{"n":9007199254740993, "n":1.0, "__proto__":{"a":1}} }'
  const value = rawEventEncoder(ENVELOPE).event('id "1"', Buffer.from(sent))
  expect(value.toString()).toContain(`"event":${sent}}`)
  expect(({} as { a?: number }).a).toBe(undefined)
})

test('any event and any envelope come back from their record', () => {
  const text = fc.string({ unit: 'binary' })
  const maybe = fc.option(text)
  const envelope = fc.record({
    dataset_id: fc.string({ minLength: 1, unit: 'binary' }),
    collector_time: fc.nat(),
    protocol: fc.constantFrom('native' as const, 'segment' as const, 'pixel' as const),
    ip: maybe,
    user_agent: maybe,
    sent_at: maybe,
  })
  fc.assert(
    fc.property(
      envelope,
      fc.string({ minLength: 1, unit: 'binary' }),
      fc.dictionary(text, fc.jsonValue({ stringUnit: 'binary' })),
      (shared, eventId, event) => {
        const value = rawEventEncoder(shared).event(eventId, Buffer.from(JSON.stringify(event)))
        const expected = JSON.parse(JSON.stringify({ v: 1, event_id: eventId, ...shared, event })) as RawEvent
        expect(decodeRawEvent(value)).toEqual({ ok: true, raw: expected })
        expect(decodeRawEvent(encodeRawEvent(expected))).toEqual({ ok: true, raw: expected })
      },
    ),
  )
  const refused = rawEventEncoder(ENVELOPE).refused('e', REFUSED)
  expect(decodeRawEvent(refused)).toEqual({
    ok: true,
    raw: { v: 1, event_id: 'e', ...ENVELOPE, refused: REFUSED },
  })
})

test('who did it is the distinct id, else the user, else the visitor', () => {
  expect(distinctIdOf({ distinct_id: 'd', user_id: 'u', anonymous_id: 'a' })).toBe('d')
  expect(distinctIdOf({ distinct_id: '', user_id: 'u', anonymous_id: 'a' })).toBe('u')
  expect(distinctIdOf({ anonymous_id: 'a' })).toBe('a')
  expect(distinctIdOf({ user_id: 5 as unknown as string })).toBe(null)
})
