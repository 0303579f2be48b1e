import { expect, test } from 'vitest'
import { engineUnits } from '../../../../services/cli/supervisor/engine-units.ts'

const unitsFor = (env: Record<string, string>) => engineUnits({ stateDir: '/state', portOffset: 1000, env })

test('one setting makes three brokers of one, and every stage is told of all of them', () => {
  const { units, addresses } = unitsFor({ MILLRACE_UP_KAFKA_NODES: '3' })
  expect(units.map(({ name }) => name)).toEqual(['kafka-1', 'kafka-2', 'kafka-3', 's3', 'clickhouse'])
  expect(addresses.MILLRACE_KAFKA_BROKERS).toBe('127.0.0.1:20092,127.0.0.1:20094,127.0.0.1:20096')
  expect(unitsFor({}).addresses.MILLRACE_KAFKA_BROKERS).toBe('127.0.0.1:20092')
})

test('no broker is started beside one that somebody else provides, and no other number of them', () => {
  const { units } = unitsFor({ MILLRACE_UP_KAFKA_NODES: '3', MILLRACE_KAFKA_BROKERS: 'elsewhere:9092' })
  expect(units.map(({ name }) => name)).toEqual(['s3', 'clickhouse'])
  expect(() => unitsFor({ MILLRACE_UP_KAFKA_NODES: '2' })).toThrow('must be 1 or 3')
})
