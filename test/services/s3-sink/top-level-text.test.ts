import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isoTime, topLevelText } from '../../../services/s3-sink/top-level-text.ts'

const find = (json: string, name = 'event_time') => topLevelText(Buffer.from(json), name)

test('a member of an object inside, or text that looks like one, is not taken for it', () => {
  const decoys =
    '"groups":{"event_time":"inner"},"a":["event_time",{"event_time":"list"}],"b":"\\"event_time\\":\\"text\\""'
  expect(find(`{${decoys}}`)).toBeNull()
  expect(find(`{${decoys},"event_time":"outer"}`)).toBe('outer')
})

test('what is no text, has escapes or is no object gives nothing', () => {
  for (const json of [
    '{"event_time":5}',
    '{"event_time":null}',
    '{"event_time":"a\\n"}',
    '[]',
    '',
    '{',
    '{"event_time"',
    '{"event_time":',
    '{"a":[[[',
    '{"a":"',
    'null',
    '{"a" "event_time":"x"}',
  ])
    expect(find(json)).toBeNull()
})

test('it finds what a parser finds', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('a', 'b', 'event_time', 'x"y'), fc.jsonValue()), { maxLength: 6 }),
      fc.constantFrom(0, 1, 2),
      (members, indent) => {
        const object = Object.fromEntries(members)
        const value = object.event_time
        const plain = typeof value === 'string' && JSON.stringify(value) === `"${value}"`
        expect(find(JSON.stringify(object, null, indent))).toBe(plain ? value : null)
      },
    ),
    { numRuns: 500 },
  )
})

test('any bytes are read without an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      topLevelText(Buffer.from(bytes), 'event_time')
      topLevelText(Buffer.concat([Buffer.from('{"a":'), bytes]), 'event_time')
    }),
    { numRuns: 1000 },
  )
})

test('only times in UTC of one width are times', () => {
  const time = (text: string) => isoTime(Buffer.from(`{"event_time":"${text}"}`), 'event_time')
  expect(time('2026-01-31T10:00:00.000Z')).toBe('2026-01-31T10:00:00.000Z')
  for (const wrong of [
    '2026-01-31',
    '2026-01-31T10:00:00Z',
    '2026-01-31T10:00:00.000+01:00',
    '+012026-01-31T10:00:00.000Z',
  ])
    expect(time(wrong)).toBeNull()
})
