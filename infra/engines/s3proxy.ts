import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Engine, startEngine } from './engine-process.ts'
import { fetchJars } from './jars.ts'
import { httpAnswers } from './ports.ts'

export interface S3Engine extends Engine {
  /** For `MILLRACE_S3_ENDPOINT`. */
  readonly endpoint: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** Of the local server only, which listens on 127.0.0.1. */
export const S3_ACCESS_KEY = { accessKeyId: 'millrace', secretAccessKey: 'millrace-local-secret' } as const

/** Starts S3Proxy on a directory: an S3 server that enforces conditional writes, checksums and signatures. */
export async function startS3Proxy(options: {
  readonly stateDir: string
  readonly port: number
  /** Buckets that are there from the start. */
  readonly buckets?: readonly string[]
}): Promise<S3Engine> {
  const { stateDir, port } = options
  const jars = fetchJars('s3proxy')
  const dataDir = join(stateDir, 'data')
  mkdirSync(dataDir, { recursive: true })
  // A bucket is a directory to this server.
  for (const bucket of options.buckets ?? []) mkdirSync(join(dataDir, bucket), { recursive: true })
  const properties = join(stateDir, 's3proxy.conf')
  const endpoint = `http://127.0.0.1:${port}`
  writeFileSync(
    properties,
    `s3proxy.endpoint=${endpoint}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity=${S3_ACCESS_KEY.accessKeyId}
s3proxy.credential=${S3_ACCESS_KEY.secretAccessKey}
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir=${dataDir}
`,
  )
  const engine = await startEngine({
    name: 's3proxy',
    command: 'java',
    args: [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      `${jars}/*`,
      'org.gaul.s3proxy.Main',
      '--properties',
      properties,
    ],
    // Keys become file names, which Java writes in the locale's encoding.
    env: { LC_ALL: 'C.UTF-8' },
    stateDir,
    ports: [port],
    ready: () => httpAnswers(endpoint),
    readyTimeoutMs: 30_000,
  })
  return { ...engine, endpoint, ...S3_ACCESS_KEY }
}
