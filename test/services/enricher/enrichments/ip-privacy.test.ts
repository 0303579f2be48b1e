import { isIP } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { applyIpPolicy, plainAddress } from '../../../../services/enricher/enrichments/ip-privacy.ts'

test.each([
  ['203.0.113.77', '203.0.113.0'],
  ['203.0.113.77:443', '203.0.113.0'],
  ['::ffff:203.0.113.77', '203.0.113.0'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1::'],
  ['[2001:db8:1:2::1]:443', '2001:db8:1::'],
  ['2001:0DB8:0000:0001::1', '2001:db8::'],
  ['2001:db8::', '2001:db8::'],
  ['fe80::1%eth0', 'fe80::'],
  ['::1', '::'],
  ['64:ff9b::192.0.2.1', '64:ff9b::'],
  ['not an address', null],
  ['999.1.1.1', null],
  ['', null],
])('%s is truncated to %s', (ip, truncated) => {
  expect(applyIpPolicy(ip, 'truncate')).toBe(truncated)
})

test('kept is as sent, removed is gone', () => {
  expect(applyIpPolicy('203.0.113.77', 'keep')).toBe('203.0.113.77')
  expect(applyIpPolicy('203.0.113.77', 'remove')).toBeNull()
  expect(applyIpPolicy(null, 'keep')).toBeNull()
})

test('a truncated address is an address of which 80 bits are gone, and stays what it is', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (ip) => {
      const truncated = applyIpPolicy(ip, 'truncate')!
      expect(isIP(truncated)).not.toBe(0)
      expect(applyIpPolicy(truncated, 'truncate')).toBe(truncated)
      if (isIP(truncated) === 4) expect(truncated).toMatch(/\.0$/)
      else
        expect(
          new URL(`http://[${truncated}]`).hostname.replace(/[[\]]/g, '').split(':').filter(Boolean).length,
        ).toBeLessThanOrEqual(3)
    }),
  )
})

test('what proxies write around an address is taken off', () => {
  expect(plainAddress(' 192.0.2.1:80 ')).toBe('192.0.2.1')
  expect(plainAddress('[::1]')).toBe('::1')
  expect(plainAddress('a'.repeat(65_536))).toBeNull()
})
