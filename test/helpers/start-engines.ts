import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startClickHouse } from '../../infra/engines/clickhouse.ts'
import { startKafka } from '../../infra/engines/kafka.ts'
import { freePort } from '../../infra/engines/ports.ts'
import { startS3Proxy } from '../../infra/engines/s3proxy.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    kafkaBrokers: string
    clickhouseUrl: string
    s3: { readonly endpoint: string; readonly accessKeyId: string; readonly secretAccessKey: string }
  }
}

/** Starts every engine once per run on free ports and empty directories, and removes them afterwards. */
export default async function startEngines(project: TestProject): Promise<() => Promise<void>> {
  const stateDir = process.env.MILLRACE_TEST_STATE || mkdtempSync(join(tmpdir(), 'millrace-test-'))
  const [kafka, s3, clickhouse] = await Promise.all([
    startKafka({ stateDir: join(stateDir, 'kafka'), port: await freePort() }),
    startS3Proxy({ stateDir: join(stateDir, 's3'), port: await freePort() }),
    startClickHouse({ stateDir: join(stateDir, 'clickhouse'), port: await freePort() }),
  ])
  project.provide('kafkaBrokers', kafka.brokers)
  project.provide('clickhouseUrl', clickhouse.url)
  project.provide('s3', {
    endpoint: s3.endpoint,
    accessKeyId: s3.accessKeyId,
    secretAccessKey: s3.secretAccessKey,
  })
  return async () => {
    await Promise.all([kafka.stop(), s3.stop(), clickhouse.stop()])
    rmSync(stateDir, { recursive: true, force: true })
  }
}
