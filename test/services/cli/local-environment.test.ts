import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { localEnvironment } from '../../../services/cli/local-environment.ts'
import { writeRunState } from '../../../services/cli/supervisor/run-state.ts'
import { identify, type ProcessIdentity } from '../../../services/core/runtime/process-lock.ts'

const addresses = {
  MILLRACE_KAFKA_BROKERS: '127.0.0.1:19092',
  MILLRACE_S3_ENDPOINT: 'http://127.0.0.1:18000',
  AWS_ACCESS_KEY_ID: 'local',
  MILLRACE_CLICKHOUSE_URL: 'http://127.0.0.1:18123',
}
let stateDir: string

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'millrace-local-'))
})
afterEach(() => rmSync(stateDir, { recursive: true, force: true }))

function up(supervisor: ProcessIdentity): void {
  writeRunState(stateDir, { supervisor, phase: 'up', problem: null, addresses, units: [] })
}

test('nothing is up: the environment is what is set', () => {
  expect(localEnvironment({ PATH: '/bin' }, stateDir)).toEqual({ PATH: '/bin' })
})

test('what a supervisor that is gone left behind names nothing', () => {
  up({ pid: process.pid, started: 'long ago' })
  expect(localEnvironment({}, stateDir)).toEqual({})
})

test('a command finds the system that is up', () => {
  up(identify(process.pid)!)
  expect(localEnvironment({ PATH: '/bin' }, stateDir)).toEqual({ PATH: '/bin', ...addresses })
})

test('an engine of which anything is set is nothing of the local system', () => {
  up(identify(process.pid)!)
  const { MILLRACE_KAFKA_BROKERS, MILLRACE_CLICKHOUSE_URL } = addresses
  expect(localEnvironment({ AWS_PROFILE: 'acme' }, stateDir)).toEqual({
    AWS_PROFILE: 'acme',
    MILLRACE_KAFKA_BROKERS,
    MILLRACE_CLICKHOUSE_URL,
  })
  expect(localEnvironment({ MILLRACE_KAFKA_PASSWORD: 'x', MILLRACE_CLICKHOUSE_URL: '' }, stateDir)).toEqual({
    ...addresses,
    MILLRACE_KAFKA_BROKERS: undefined,
    MILLRACE_KAFKA_PASSWORD: 'x',
    MILLRACE_CLICKHOUSE_URL: '',
  })
})

test('a region and certificates name no store', () => {
  up(identify(process.pid)!)
  const env = { AWS_REGION: 'eu-central-1', AWS_CA_BUNDLE: '/etc/ssl/bundle.pem' }
  expect(localEnvironment(env, stateDir)).toEqual({ ...addresses, ...env })
})
