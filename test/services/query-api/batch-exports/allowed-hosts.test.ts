import { expect, test } from 'vitest'
import { parseAllowedHosts } from '../../../../services/query-api/batch-exports/allowed-hosts.ts'

test.each([
  ['', 'db.example.com', 5432, false],
  ['db.example.com', 'db.example.com', 5432, true],
  ['db.example.com', 'DB.Example.com', 5432, true],
  ['db.example.com', 'db.example.com', 5433, false],
  ['db.example.com', 'a.db.example.com', 5432, false],
  ['a.com, db.example.com:6432', 'db.example.com', 6432, true],
  ['db.example.com:6432', 'db.example.com', 5432, false],
  ['*.example.com', 'db.example.com', 5432, true],
  ['*.example.com', 'example.com', 5432, false],
  ['*.example.com', 'evilexample.com', 5432, false],
])('with %j, %s:%i is allowed: %s', (list, host, port, allowed) => {
  expect(parseAllowedHosts(list)(host, port)).toBe(allowed)
})

test.each(['*', 'http://db', 'db:0', 'db:x', '-db'])('%j is no list of hosts', (list) => {
  expect(() => parseAllowedHosts(list)).toThrow('hosts separated by commas')
})

test.each([
  '127.0.0.1',
  '0.0.0.0',
  '[::1]',
  '::ffff:127.0.0.1',
  '169.254.169.254',
  '2130706433',
  '0x7f.1',
  '017700000001',
  'localhost.',
  '10.0.0.1',
  'fd00::1',
  'metadata.google.internal',
  'user@db.example.com',
  'db.example.com.evil.org',
  'db.example.com#',
  '',
])('%j is nowhere to connect to unless it is listed', (host) => {
  expect(parseAllowedHosts('db.example.com, *.example.com')(host, 5_432)).toBe(false)
})
