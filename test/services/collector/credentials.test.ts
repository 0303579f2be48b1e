import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { generateAccessKey } from '../../../services/core/control/access-key.ts'
import {
  EXPIRED_KEY,
  NOW_MS,
  ORPHAN_KEY,
  openCollector,
  READ_KEY,
  UNKNOWN_KEY,
  WRITE_KEY,
} from './open-collector.ts'

const EVENT = { event: 'a' }
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
const bearer = (text: string) => ({ authorization: `Bearer ${text}` })

test('whatever is wrong with a key gets one and the same answer', async () => {
  const collector = openCollector()
  const wrongChecksum = WRITE_KEY.slice(0, -1) + (WRITE_KEY.endsWith('0') ? '1' : '0')
  const answers = []
  for (const key of [
    UNKNOWN_KEY,
    EXPIRED_KEY,
    ORPHAN_KEY,
    wrongChecksum,
    'x',
    'mr_w_',
    'k'.repeat(10_000),
    'ｍｒ',
  ]) {
    const { status, body, headers } = await collector.post(EVENT, {
      key: null,
      headers: { 'x-write-key': Buffer.from(key).toString('latin1') },
    })
    answers.push(JSON.stringify([status, body, headers['www-authenticate']]))
  }
  for (const headers of [
    { authorization: '' },
    bearer('a b'),
    { authorization: WRITE_KEY },
    basic(''),
    basic(`:${WRITE_KEY}`),
    { authorization: `Digest ${WRITE_KEY}` },
  ]) {
    const { status, body, headers: answered } = await collector.post(EVENT, { key: null, headers })
    answers.push(JSON.stringify([status, body, answered['www-authenticate']]))
  }
  expect(new Set(answers)).toEqual(
    new Set([
      JSON.stringify([
        401,
        {
          type: 'authentication_error',
          code: 'invalid_key',
          detail: 'The write key is not valid.',
          attr: null,
        },
        'Bearer',
      ]),
    ]),
  )
  expect(collector.records).toEqual([])
})

test('a read key may not write, nor one of the API, and no key at all is told apart', async () => {
  const collector = openCollector()
  expect(await collector.post(EVENT, { key: READ_KEY })).toMatchObject({
    status: 403,
    body: { code: 'wrong_scope' },
  })
  const personal = generateAccessKey('personal', randomBytes)
  expect(await collector.post(EVENT, { key: personal })).toMatchObject({
    status: 403,
    body: { code: 'wrong_scope' },
  })
  expect(await collector.post(EVENT, { key: null })).toMatchObject({
    status: 401,
    body: { code: 'missing_key' },
  })
  expect(collector.records).toEqual([])
})

test('every way to hand over a key works', async () => {
  const collector = openCollector()
  for (const headers of [
    bearer(WRITE_KEY),
    { authorization: `bearer  ${WRITE_KEY}` },
    basic(`${WRITE_KEY}:`),
    basic(WRITE_KEY),
    basic(`${WRITE_KEY}:password`),
    { 'x-write-key': WRITE_KEY },
  ])
    expect((await collector.post(EVENT, { key: null, headers })).status).toBe(200)
  expect((await collector.post({ batch: [EVENT], write_key: WRITE_KEY }, { key: null })).status).toBe(200)
  expect((await collector.post({ batch: [EVENT], writeKey: WRITE_KEY }, { key: null })).status).toBe(200)
})

test('a wrong key in the headers is not mended by a good one in the body', async () => {
  const collector = openCollector()
  const body = { batch: [EVENT], write_key: WRITE_KEY }
  expect((await collector.post(body, { key: UNKNOWN_KEY })).status).toBe(401)
  expect((await collector.post({ ...body, write_key: 5 }, { key: null })).body.code).toBe('missing_key')
})

test('the query carries a key for the pixel only', async () => {
  const collector = openCollector()
  expect((await collector.post(EVENT, { key: null, path: `/v1/events?write_key=${WRITE_KEY}` })).status).toBe(
    401,
  )
})

test('a key works until the moment it expires, and not after it was taken away', async () => {
  const collector = openCollector()
  collector.nowMs = NOW_MS - 1
  expect((await collector.post(EVENT, { key: EXPIRED_KEY })).status).toBe(200)
  collector.nowMs = NOW_MS
  expect((await collector.post(EVENT, { key: EXPIRED_KEY })).status).toBe(401)
  collector.control.update({ keys: [] })
  expect((await collector.post(EVENT)).status).toBe(401)
})

test('while the keys cannot be confirmed nobody gets in', async () => {
  const collector = openCollector()
  collector.control.setProblem('The end of millrace.control was not confirmed.')
  expect(await collector.post(EVENT)).toMatchObject({
    status: 503,
    body: { code: 'not_taken' },
    headers: { 'retry-after': '2' },
  })
  expect(collector.records).toEqual([])
})

test('no key shows up in logs, metrics or answers', async () => {
  const collector = openCollector()
  collector.onProduce = () => Promise.reject(new Error(`a fault of ours`))
  for (const key of [WRITE_KEY, READ_KEY, UNKNOWN_KEY]) {
    const answers = [
      await collector.post(EVENT, { key }),
      await collector.post('{', { key }),
      await collector.post({ batch: [5], write_key: key }, { key: null }),
      await collector.post(EVENT, { key: null, path: `/v1/pixel?write_key=${key}` }),
      await collector.post(EVENT, { key: null, path: `/v1/${key}` }),
    ]
    const seen = JSON.stringify(answers) + collector.logged.join('') + (await collector.metrics.expose())
    expect(seen).not.toContain(key)
  }
  expect(collector.logged.length).toBeGreaterThan(0)
})
