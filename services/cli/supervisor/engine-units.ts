import { join } from 'node:path'
import { startClickHouse } from '../../../infra/engines/clickhouse.ts'
import type { Engine } from '../../../infra/engines/engine-process.ts'
import { startKafka } from '../../../infra/engines/kafka.ts'
import { httpAnswers, kafkaAnswers } from '../../../infra/engines/ports.ts'
import { S3_ACCESS_KEY, startS3Proxy } from '../../../infra/engines/s3proxy.ts'
import { CLICKHOUSE_SETTINGS } from '../../core/clickhouse/clickhouse-settings.ts'
import { KAFKA_SETTINGS } from '../../core/kafka/kafka-settings.ts'
import { S3_SETTINGS } from '../../core/object-store/s3-settings.ts'
import type { Unit } from './supervisor.ts'

type Environment = Readonly<Record<string, string | undefined>>

interface LocalEngine {
  readonly name: string
  readonly port: number
  /** Set by somebody who brings an engine of his own: then ours is not started. */
  readonly variable: string
  readonly start: (options: LocalEngineOptions) => Promise<Engine>
  readonly answers: (port: number) => Promise<boolean>
  /** How the stages are told where it is. */
  readonly addresses: (port: number) => Readonly<Record<string, string>>
}

interface LocalEngineOptions {
  readonly stateDir: string
  readonly port: number
  readonly env: Environment
}

/** How many brokers `millrace up` starts: 1, or 3 with replicas on each of them. */
const KAFKA_NODES = 'MILLRACE_UP_KAFKA_NODES'
const KAFKA_PORT = 19_092
/** Each broker has a port for clients and, after it, one for the other brokers. */
const KAFKA_PORTS_APART = 2

const KAFKA: LocalEngine = {
  name: 'kafka',
  port: KAFKA_PORT,
  variable: KAFKA_SETTINGS.kafkaBrokers.variable,
  start: startKafka,
  answers: kafkaAnswers,
  addresses: (port) => ({ [KAFKA_SETTINGS.kafkaBrokers.variable]: `127.0.0.1:${port}` }),
}

/** Brokers of a cluster keep their data apart from that of a single one: neither can go on with the other's. */
function kafkaCluster(nodes: number, portOffset: number): readonly LocalEngine[] {
  const ports = Array.from({ length: nodes }, (_, index) => KAFKA_PORT + index * KAFKA_PORTS_APART)
  const brokers = ports.map((port) => `127.0.0.1:${port + portOffset}`).join(',')
  const controllerPorts = ports.map((port) => port + portOffset + 1)
  return ports.map((port, index) => ({
    ...KAFKA,
    name: `kafka-${index + 1}`,
    port,
    start: ({ stateDir, port: at }) =>
      startKafka({ stateDir, port: at, node: { id: index + 1, controllerPorts } }),
    addresses: () => ({ [KAFKA_SETTINGS.kafkaBrokers.variable]: brokers }),
  }))
}

function enginesFor(env: Environment, portOffset: number): readonly LocalEngine[] {
  const nodes = env[KAFKA_NODES] || '1'
  if (nodes !== '1' && nodes !== '3') throw new Error(`${KAFKA_NODES} is ${nodes} but must be 1 or 3.`)
  return [...(nodes === '3' ? kafkaCluster(3, portOffset) : [KAFKA]), ...OTHER_ENGINES]
}

const OTHER_ENGINES: readonly LocalEngine[] = [
  {
    name: 's3',
    port: 18_080,
    variable: 'MILLRACE_S3_ENDPOINT',
    start: ({ stateDir, port, env }) =>
      startS3Proxy({
        stateDir,
        port,
        buckets: [env[S3_SETTINGS.s3Bucket.variable] || (S3_SETTINGS.s3Bucket.defaultText as string)],
      }),
    answers: (port) => httpAnswers(`http://127.0.0.1:${port}`),
    addresses: (port) => ({
      MILLRACE_S3_ENDPOINT: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: S3_ACCESS_KEY.accessKeyId,
      AWS_SECRET_ACCESS_KEY: S3_ACCESS_KEY.secretAccessKey,
    }),
  },
  {
    name: 'clickhouse',
    port: 18_123,
    variable: CLICKHOUSE_SETTINGS.clickhouseUrl.variable,
    start: startClickHouse,
    answers: (port) => httpAnswers(`http://127.0.0.1:${port}/ping`),
    addresses: (port) => ({ [CLICKHOUSE_SETTINGS.clickhouseUrl.variable]: `http://127.0.0.1:${port}` }),
  },
]

export interface LocalEngines {
  readonly units: readonly Unit[]
  /** Environment of the stages, so that they find the engines. */
  readonly addresses: Readonly<Record<string, string>>
}

/**
 * The engines that nobody else provides: each whose address the environment does not give.
 *
 * @param portOffset added to every port, so that two installations can be up on one machine
 */
export function engineUnits(options: {
  readonly stateDir: string
  readonly portOffset: number
  readonly env: Environment
}): LocalEngines {
  const { stateDir, portOffset, env } = options
  const ours = enginesFor(env, portOffset).filter((engine) => !env[engine.variable])
  return {
    units: ours.map((engine) => {
      const port = engine.port + portOffset
      return {
        name: engine.name,
        kind: 'engine',
        opsPort: null,
        start: () => engine.start({ stateDir: join(stateDir, 'engines', engine.name), port, env }),
        problem: async () => ((await engine.answers(port)) ? null : `It does not answer on port ${port}.`),
      }
    }),
    addresses: Object.assign({}, ...ours.map((engine) => engine.addresses(engine.port + portOffset))),
  }
}
