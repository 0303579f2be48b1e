import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { openCollector, WRITE_KEY } from './open-collector.ts'

const ok = { status: 200, body: { success: true } }

test('a message of no known type is a rejected event, its neighbours go through', async () => {
  const collector = openCollector()
  const answer = await collector.post(
    {
      batch: [
        { type: 'track', event: 'a' },
        { type: 'video', messageId: 'm', userId: 'u' },
        { messageId: 'n' },
        5,
        { type: 'track' },
      ],
    },
    { path: '/v1/batch' },
  )
  expect(answer).toMatchObject(ok)
  expect(collector.raw().map((raw) => raw.refused?.code ?? 'accepted')).toEqual([
    'accepted',
    'invalid_value',
    'missing_field',
    'invalid_type',
    'missing_field',
  ])
  expect(collector.raw()[1]).toMatchObject({
    event_id: 'm',
    refused: { payload: '{"type":"video","messageId":"m","userId":"u"}' },
  })
})

test('bodies that are no batch are refused', async () => {
  const collector = openCollector()
  for (const body of [[], { type: 'track', event: 'a' }, { batch: {} }])
    expect(await collector.post(body, { path: '/v1/batch' })).toMatchObject({
      status: 400,
      body: { code: 'invalid_payload' },
    })
  expect(await collector.post({ batch: [], sentAt: {} }, { path: '/v1/batch' })).toMatchObject({
    status: 400,
    body: { attr: 'sentAt' },
  })
})

test('each type becomes an event, and nothing of the message is lost', async () => {
  const collector = openCollector()
  const shared = { timestamp: 't', userId: 'u', anonymousId: 'a', integrations: { All: true } }
  const ids = { distinct_id: 'u', user_id: 'u', anonymous_id: 'a', timestamp: 't' }
  const segment = (type: string, more: object = {}) => ({
    context: { segment: { type, integrations: { All: true }, ...more } },
  })
  const pairs: [object, object][] = [
    [
      { type: 'track', event: 'Paid', properties: { x: 1 }, colour: 'red' },
      { event: 'Paid', properties: { x: 1 }, ...segment('track', { colour: 'red' }) },
    ],
    [
      { type: 'page', name: 'Home', category: 'Docs', properties: { url: '/' } },
      { event: 'page', properties: { name: 'Home', category: 'Docs', url: '/' }, ...segment('page') },
    ],
    [
      { type: 'page', name: 'Home', properties: { name: 'own' } },
      { event: 'page', properties: { name: 'own' }, ...segment('page') },
    ],
    [
      { type: 'screen', name: 'Start' },
      { event: 'screen', properties: { name: 'Start' }, ...segment('screen') },
    ],
    [
      { type: 'identify', traits: { email: 'e' } },
      { event: 'identify', set: { email: 'e' }, ...segment('identify') },
    ],
    [
      { type: 'group', groupId: 'g', traits: { plan: 'p' } },
      { event: 'group', groups: { group: 'g' }, properties: { plan: 'p' }, ...segment('group') },
    ],
    [
      { type: 'alias', previousId: 'p' },
      { event: 'alias', properties: { previous_id: 'p' }, ...segment('alias') },
    ],
  ]
  const batch = pairs.map(([message], index) => ({ ...message, ...shared, messageId: `m${index}` }))
  expect(
    await collector.post({ batch, sentAt: '2026-11-22T12:00:00Z' }, { path: '/v1/batch' }),
  ).toMatchObject(ok)
  expect(collector.raw().map((raw) => [raw.protocol, raw.sent_at, raw.event_id, raw.event])).toEqual(
    pairs.map(([, event], index) => [
      'segment',
      '2026-11-22T12:00:00Z',
      `m${index}`,
      { event_id: `m${index}`, ...ids, ...event },
    ]),
  )
})

test('the visitor is who did it when no user is known, and the uncorrected time wins', async () => {
  const collector = openCollector()
  await collector.post(
    {
      batch: [
        {
          type: 'track',
          event: 'x',
          anonymousId: 'a',
          timestamp: 'corrected',
          originalTimestamp: 'own',
          context: { ip: '192.0.2.9', library: { name: 'l' } },
        },
      ],
    },
    { path: '/v1/batch' },
  )
  expect(collector.raw()[0]?.event).toEqual({
    event: 'x',
    distinct_id: 'a',
    anonymous_id: 'a',
    timestamp: 'own',
    context: { ip: '192.0.2.9', library: { name: 'l' }, segment: { type: 'track' } },
  })
})

test('a path names the type of its one message, long or short, and may carry the key inside', async () => {
  const collector = openCollector()
  for (const path of ['/v1/page', '/v1/p', '/v1/page/'])
    expect(
      await collector.post(
        { name: 'Home', writeKey: WRITE_KEY, sentAt: 's' },
        { path, key: null, headers: { 'content-type': 'text/plain' } },
      ),
    ).toMatchObject(ok)
  for (const raw of collector.raw()) {
    expect(raw).toMatchObject({ sent_at: 's', event: { event: 'page', properties: { name: 'Home' } } })
    expect(JSON.stringify(raw)).not.toContain(WRITE_KEY)
  }
  await collector.post({ event: 5, writeKey: WRITE_KEY }, { path: '/v1/track', key: null })
  expect(JSON.stringify(collector.raw()[3])).not.toContain(WRITE_KEY)
})

test('gzip under a form’s content type, with the key as user, is taken', async () => {
  const collector = openCollector()
  const body = gzipSync(JSON.stringify({ batch: [{ type: 'track', event: 'a', messageId: 'm' }] }))
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    authorization: `Basic ${Buffer.from(`${WRITE_KEY}:`).toString('base64')}`,
  }
  expect(await collector.post(body, { path: '/v1/batch', key: null, headers })).toMatchObject(ok)
  expect(collector.raw()[0]?.event?.event).toBe('a')
})

test('prototype keys in a message are data', async () => {
  const collector = openCollector()
  await collector.post(
    '{"batch":[{"type":"track","event":"a","__proto__":{"admin":true},"context":{"__proto__":{"admin":true}}}]}',
    { path: '/v1/batch' },
  )
  const value = collector.records[0]?.value?.toString() ?? ''
  expect(value.match(/"__proto__":\{"admin":true\}/g)).toHaveLength(2)
  expect(({} as { admin?: boolean }).admin).toBe(undefined)
})
