import { expect, test } from 'vitest'
import { parseExactly } from '../../../services/core/event/exact-numbers.ts'
import { maskRow } from '../../../services/core/event/mask-row.ts'

test('a masked row says nothing of who somebody is, and can still be counted', () => {
  const row = {
    event_id: '203.0.113.9',
    dataset_id: 'shop',
    event: 'sign_up',
    distinct_id: 'ann@example.com',
    user_id: 'u-17',
    event_time: '2026-11-22T12:00:00.000Z',
    ip: '203.0.113.9',
    geo_city: 'Oslo',
    geo_lat: 59.9,
    geo_country: 'NO',
    user_agent: 'Mozilla/5.0',
    url: 'https://shop.example/?mail=ann@example.com',
    revenue_amount: 12.5,
    properties: { email: 'ann@example.com', plan: 'pro', nested: { phone: 1 }, at: '2026-11-22' },
  }
  const masked = maskRow(row)
  expect(JSON.stringify(masked)).not.toMatch(/ann@|Oslo|59\.9|Mozilla/)
  expect(masked).toMatchObject({
    event_id: '203.0.113.9',
    user_id: 'u-17',
    ip: null,
    geo_city: null,
    geo_lat: null,
    geo_country: 'NO',
    revenue_amount: 12.5,
    event_time: row.event_time,
    properties: { plan: 'pro', at: '2026-11-22' },
  })
  expect(masked.distinct_id).toMatch(/^masked:[0-9a-f]{16}$/)
  expect(maskRow({ ...row, event: 'other' }).distinct_id).toBe(masked.distinct_id)
  expect(maskRow({ ...row, dataset_id: 'blog' }).distinct_id).not.toBe(masked.distinct_id)
})

test('numbers keep all of their digits', () => {
  const text = '{"dataset_id":"shop","properties":{"big":12345678901234567890}}'
  expect(JSON.stringify(maskRow(parseExactly(Buffer.from(text)) as Record<string, unknown>))).toBe(text)
})
