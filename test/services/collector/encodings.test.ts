import { Readable } from 'node:stream'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { createByteBudget } from '../../../services/collector/byte-budget.ts'
import type { Coding } from '../../../services/collector/content.ts'
import { readBody } from '../../../services/collector/read-body.ts'
import type { RequestRefusal } from '../../../services/collector/request-refusal.ts'
import { openCollector } from './open-collector.ts'

const EVENT = '{"event":"a"}'
const PACK = {
  gzip: gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
} as const
const cases = Object.entries(PACK) as [Coding, (text: string | Buffer) => Buffer][]
const encoded = (coding: string) => ({ headers: { 'content-encoding': coding } })

test('a packed body that is cut, followed by more, or not packed at all is refused whole', async () => {
  const collector = openCollector()
  for (const [coding, pack] of cases) {
    const packed = pack(EVENT)
    for (const wrong of [
      packed.subarray(0, -1),
      packed.subarray(0, packed.length >> 1),
      Buffer.concat([packed, Buffer.from('more')]),
      Buffer.concat([packed, Buffer.alloc(3)]),
      Buffer.from(EVENT),
      Buffer.alloc(0),
    ]) {
      const answer = await collector.post(wrong, encoded(coding))
      expect([coding, wrong.length, answer.status, answer.body.code]).toEqual([
        coding,
        wrong.length,
        400,
        'invalid_encoding',
      ])
    }
  }
  expect(collector.records).toEqual([])
  expect(collector.inFlightBytes()).toBe(0)
})

test('every coding is taken off, also when its name is written otherwise', async () => {
  const collector = openCollector()
  for (const [coding, pack] of cases)
    expect((await collector.post(pack(EVENT), encoded(coding))).status).toBe(200)
  expect((await collector.post(gzipSync(EVENT), encoded(' GZIP '))).status).toBe(200)
  expect((await collector.post(gzipSync(EVENT), encoded('x-gzip'))).status).toBe(200)
  expect((await collector.post(deflateRawSync(EVENT), encoded('deflate'))).status).toBe(200)
  expect((await collector.post(EVENT, encoded('identity'))).status).toBe(200)
  const members = Buffer.concat([gzipSync(EVENT.slice(0, 5)), gzipSync(EVENT.slice(5))])
  expect((await collector.post(members, encoded('gzip'))).status).toBe(200)
})

test('gzip that is not labelled is noticed, whatever the content type says', async () => {
  const collector = openCollector()
  for (const type of ['application/json', 'text/plain', 'application/x-www-form-urlencoded'])
    expect((await collector.post(gzipSync(EVENT), { headers: { 'content-type': type } })).status).toBe(200)
  const twice = gzipSync(gzipSync(EVENT))
  expect((await collector.post(twice)).status).toBe(400)
  expect((await collector.post(twice, encoded('gzip'))).status).toBe(400)
})

test('two codings, or one that nobody knows, are refused', async () => {
  const collector = openCollector()
  for (const named of ['gzip, gzip', 'identity, gzip', 'gzip, gzip, gzip', 'compress', 'toString', ','])
    expect(await collector.post(gzipSync(EVENT), encoded(named))).toMatchObject({
      status: 415,
      body: { code: 'unsupported_encoding', attr: 'content-encoding' },
    })
})

test('of a bomb of any coding at most its limit is held', async () => {
  const zeros = Buffer.alloc(32 * 1024 * 1024)
  const limits = { wireBytesMax: 1_000_000, bodyBytesMax: 1_000_000 }
  for (const [coding, pack] of cases) {
    let peak = 0
    const budget = createByteBudget(Number.MAX_SAFE_INTEGER, (used) => {
      peak = Math.max(peak, used)
    })
    const bomb = pack(zeros)
    expect(bomb.length).toBeLessThan(limits.wireBytesMax)
    const outcome = await readBody(
      Readable.from([bomb]),
      bomb.length,
      coding,
      limits,
      budget.lease(),
      () => {},
    )
    expect((outcome as RequestRefusal).code).toBe('request_too_large')
    expect(peak).toBeLessThanOrEqual(bomb.length + limits.bodyBytesMax)
  }
})

test('a zstd body that asks for a window over 8 MB is refused before it is given one', async () => {
  const { constants } = await import('node:zlib')
  const wide = zstdCompressSync(Buffer.alloc(20 * 1024 * 1024, 'abcdefghij'), {
    params: { [constants.ZSTD_c_windowLog]: 26, [constants.ZSTD_c_contentSizeFlag]: 0 },
  })
  const collector = openCollector({ MILLRACE_COLLECTOR_BODY_BYTES_MAX: '64MB' })
  expect((await collector.post(wide, encoded('zstd'))).body.code).toBe('invalid_encoding')
})
