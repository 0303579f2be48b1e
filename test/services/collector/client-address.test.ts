import { expect, test } from 'vitest'
import { COLLECTOR_SETTINGS } from '../../../services/collector/config.ts'
import { clientAddress, parseCidrs } from '../../../services/core/runtime/client-address.ts'
import { parseSettings, SettingsError } from '../../../services/core/runtime/settings.ts'
import { openCollector } from './open-collector.ts'

test('a network that is none is a fault of the settings', () => {
  for (const text of ['10.0.0.0/33', '10.0.0', 'fd00::/129', 'localhost', '10.0.0.0/x', '10.0.0.0/'])
    expect(() => parseSettings(COLLECTOR_SETTINGS, { MILLRACE_COLLECTOR_TRUSTED_PROXIES: text })).toThrow(
      SettingsError,
    )
})

test('what an untrusted peer says about others is not read', () => {
  const trusted = parseCidrs('10.0.0.0/8')
  expect(clientAddress('192.0.2.1', '198.51.100.7', trusted)).toBe('192.0.2.1')
  expect(clientAddress('192.0.2.1', '198.51.100.7', parseCidrs(''))).toBe('192.0.2.1')
  expect(clientAddress(undefined, '198.51.100.7', trusted)).toBe(null)
})

test('behind trusted proxies the client is the first address from the right that is not one', () => {
  const trusted = parseCidrs('10.0.0.0/8, fd00::/8')
  expect(clientAddress('10.0.0.1', '198.51.100.7', trusted)).toBe('198.51.100.7')
  expect(clientAddress('10.0.0.1', '6.6.6.6, 198.51.100.7, 10.0.0.2', trusted)).toBe('198.51.100.7')
  expect(clientAddress('::ffff:10.0.0.1', '198.51.100.7', trusted)).toBe('198.51.100.7')
  expect(clientAddress('fd00::1', '2001:db8::5', trusted)).toBe('2001:db8::5')
  expect(clientAddress('10.0.0.1', '10.0.0.3', trusted)).toBe('10.0.0.3')
  expect(clientAddress('10.0.0.1', 'made up, unknown', trusted)).toBe('10.0.0.1')
  expect(clientAddress('10.0.0.1', '', trusted)).toBe('10.0.0.1')
  expect(clientAddress('::ffff:192.0.2.1', undefined, trusted)).toBe('192.0.2.1')
})

test('the address of the client stands in its raw events', async () => {
  const collector = openCollector({ MILLRACE_COLLECTOR_TRUSTED_PROXIES: '127.0.0.0/8' })
  await collector.post({ event: 'a' }, { headers: { 'x-forwarded-for': '203.0.113.9' } })
  expect(collector.raw()[0]?.ip).toBe('203.0.113.9')
})
