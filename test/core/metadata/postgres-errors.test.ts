import { expect, test } from 'vitest'
import { freePort } from '../../../infra/engines/ports.ts'
import { postgresError } from '../../../services/core/metadata/postgres-errors.ts'
import { openPostgresMetadata } from '../../../services/core/metadata/postgres-metadata.ts'

const failed = (code: string | undefined, message = 'x') => Object.assign(new Error(message), { code })

test.each([
  ['08006', 'unavailable', 'outcome_unknown'],
  ['57P01', 'unavailable', 'outcome_unknown'],
  ['57P03', 'unavailable', 'outcome_unknown'],
  ['57014', 'timeout', 'outcome_unknown'],
  ['53300', 'overloaded', 'overloaded'],
  ['53100', 'read_only', 'read_only'],
  ['25006', 'read_only', 'read_only'],
  ['28P01', 'denied', 'denied'],
  ['42501', 'denied', 'denied'],
  ['3D000', 'not_found', 'not_found'],
  ['40001', 'overloaded', 'overloaded'],
  ['40P01', 'overloaded', 'overloaded'],
  ['55P03', 'overloaded', 'overloaded'],
  ['23505', 'precondition_failed', 'precondition_failed'],
  ['23503', 'rejected', 'rejected'],
  ['XX001', 'corrupt', 'corrupt'],
  ['ECONNRESET', 'unavailable', 'outcome_unknown'],
  ['ENOTFOUND', 'unavailable', 'outcome_unknown'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'rejected', 'rejected'],
] as const)('%s is %s, and %s in answer to a commit', (state, code, committing) => {
  expect(postgresError(failed(state), false)).toMatchObject({ dependency: 'metadata', code })
  expect(postgresError(failed(state), true)).toMatchObject({ dependency: 'metadata', code: committing })
})

test.each([
  ['timeout exceeded when trying to connect', 'timeout'],
  ['Query read timeout', 'timeout'],
  ['Connection terminated unexpectedly', 'unavailable'],
  ['The server does not support SSL connections', 'rejected'],
] as const)('the client saying %j is %s', (message, code) => {
  expect(postgresError(failed(undefined, message), false)).toMatchObject({ code })
})

test.each(['42601', '42P01', '23502', '22P02', '22021'])('%s is a bug of ours', (state) => {
  const error = failed(state)
  expect(postgresError(error, false)).toBe(error)
})

test('a server that is not there is unavailable', async () => {
  const metadata = openPostgresMetadata(`postgres://nobody@127.0.0.1:${await freePort()}/none`, {
    connectionsMax: 1,
    timeoutMs: 5_000,
  })
  await expect(metadata.ping()).rejects.toMatchObject({ dependency: 'metadata', code: 'unavailable' })
  await metadata.close()
})
