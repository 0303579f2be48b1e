import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  chunkLine,
  compressLine,
  decompressLine,
  eventsText,
} from '../../../services/core/recordings/chunk-line.ts'
import { decodeChunkRecord, encodeChunkRecord } from '../../../services/core/recordings/chunk-record.ts'

const CHUNK = {
  v: 1,
  event_id: 'e',
  dataset_id: 'shop',
  session_id: 's',
  window_id: 'w',
  distinct_id: '',
  collector_time: 5,
  library: null,
  events: 1,
  bytes: 3,
} as const

test('a line comes out of its record as it went in, and its events as text without being parsed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string(), fc.array(fc.jsonValue(), { minLength: 1 }), async (window, values) => {
      const events = JSON.parse(JSON.stringify(values)) as unknown[]
      const line = chunkLine(window, events)
      expect(line.indexOf('\n')).toBe(line.length - 1)
      const decoded = decodeChunkRecord(encodeChunkRecord(CHUNK, await compressLine(line)))
      if (!decoded.ok) throw new Error(decoded.detail)
      expect(decoded.chunk).toEqual(CHUNK)
      const back = await decompressLine(decoded.compressed, line.length)
      expect(back.equals(line)).toBe(true)
      expect(JSON.parse(`[${eventsText(back, window)}]`)).toEqual(events)
    }),
    { numRuns: 100 },
  )
})

test('a line that is not of the size it was said to have is not believed', async () => {
  const line = chunkLine('w', [1])
  const compressed = await compressLine(line)
  await expect(decompressLine(compressed, line.length + 1)).rejects.toThrow('was said to have')
  await expect(decompressLine(compressed, line.length - 1)).rejects.toThrow()
  await expect(decompressLine(compressed.subarray(0, -9), line.length)).rejects.toThrow()
})

test.each([
  ['no value', null, 'no value'],
  ['no line', 'x', 'line of text'],
  ['no text', Buffer.from([0xff, 0x0a]), 'line of text'],
  ['no JSON', '{\n', 'not JSON'],
  ['no object', '5\n', 'not an object'],
  ['another version', `${JSON.stringify({ ...CHUNK, v: 2 })}\n`, 'version is 2'],
  ['an empty id', `${JSON.stringify({ ...CHUNK, session_id: '' })}\n`, 'session_id'],
  ['a person that is no text', `${JSON.stringify({ ...CHUNK, distinct_id: null })}\n`, 'distinct_id'],
  ['a library that is no text', `${JSON.stringify({ ...CHUNK, library: 1 })}\n`, 'library'],
  ['a broken count', `${JSON.stringify({ ...CHUNK, bytes: 1.5 })}\n`, 'bytes'],
  ['a time that is none', `${JSON.stringify({ ...CHUNK, collector_time: 9e15 })}\n`, 'collector_time'],
] as const)('%s is told, not thrown', (_, value, detail) => {
  const bytes = value === null ? null : Buffer.from(value)
  expect(decodeChunkRecord(bytes)).toEqual({ ok: false, detail: expect.stringContaining(detail) })
})
