import { expect, test } from 'vitest'
import { toDependencyError } from '../../../services/core/clickhouse/clickhouse-errors.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'

const server = (code: number, message = 'Words.', type = 'NAME') => ({ code: String(code), message, type })

test.each([
  [252, 'overloaded', true],
  [241, 'overloaded', true],
  [202, 'overloaded', true],
  [745, 'overloaded', true],
  [164, 'read_only', true],
  [242, 'read_only', true],
  [243, 'read_only', true],
  [75, 'read_only', true],
  [774, 'read_only', true],
  [159, 'timeout', true],
  [319, 'unavailable', true],
  [394, 'unavailable', true],
  [60, 'not_found', false],
  [81, 'not_found', false],
  [497, 'denied', false],
  [516, 'denied', false],
  [62, 'rejected', false],
  [27, 'rejected', false],
  [49, 'rejected', false],
])('ClickHouse’s error %i is %s, retriable: %s', (code, kind, retriable) => {
  expect(toDependencyError(server(code), 'query')).toMatchObject({
    dependency: 'clickhouse',
    code: kind,
    retriable,
  })
})

test('an insert into too many partitions never works, though its number is that of too many parts', () => {
  const message = 'Too many partitions for single INSERT block (more than 100).'
  expect(toDependencyError(server(252, message), 'insert').code).toBe('rejected')
})

test('the message carries ClickHouse’s number, words and name, and what was asked', () => {
  expect(
    toDependencyError(server(60, 'No such table. ', 'UNKNOWN_TABLE'), 'insert into events').message,
  ).toBe('ClickHouse, insert into events: Code: 60. No such table. (UNKNOWN_TABLE)')
})

test('what never came from ClickHouse is the network: its outcome is not known', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  expect(toDependencyError(refused, 'query').code).toBe('unavailable')
  expect(toDependencyError(new Error('<html>502 Bad Gateway</html>'), 'query').code).toBe('unavailable')
  expect(toDependencyError(new Error('Timeout error.'), 'query').code).toBe('timeout')
})

test('an error that is told already is passed on', () => {
  const told = new DependencyError('clickhouse', 'corrupt', 'x')
  expect(toDependencyError(told, 'query')).toBe(told)
})
