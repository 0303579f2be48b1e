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
