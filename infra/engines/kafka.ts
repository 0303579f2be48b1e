import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Engine, startEngine } from './engine-process.ts'
import { fetchJars } from './jars.ts'
import { kafkaAnswers } from './ports.ts'

export interface KafkaEngine extends Engine {
  /** `host:port`, for `MILLRACE_KAFKA_BROKERS`. */
  readonly brokers: string
}

export interface KafkaOptions {
  /** Data, log and pid live here and are kept from run to run. */
  readonly stateDir: string
  /** The controller listens on the port after it. Below 32768, or an outgoing connection may take it. */
  readonly port: number
  readonly heapMb?: number
}

const CLUSTER_ID = 'bWlsbHJhY2Uta2Fma2EtMQ'

/** Starts Apache Kafka in KRaft mode, one node being broker and controller. Formats the storage the first time. */
export async function startKafka(options: KafkaOptions): Promise<KafkaEngine> {
  const { stateDir, port } = options
  const jars = fetchJars('kafka')
  const dataDir = join(stateDir, 'data')
  mkdirSync(dataDir, { recursive: true })
  const properties = join(stateDir, 'server.properties')
  writeFileSync(properties, serverProperties(port, dataDir))
  const java = (main: string, args: readonly string[]) => [
    `-Xmx${options.heapMb ?? 512}m`,
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    `-Dlog4j2.configurationFile=${join(import.meta.dirname, 'kafka', 'log4j2.properties')}`,
    '-cp',
    `${jars}/*`,
    main,
    ...args,
  ]
  if (!existsSync(join(dataDir, 'meta.properties'))) {
    await formatStorage(java('kafka.tools.StorageTool', ['format', '-t', CLUSTER_ID, '-c', properties]))
  }
  const engine = await startEngine({
    name: 'kafka',
    command: 'java',
    args: java('kafka.Kafka', [properties]),
    stateDir,
    ports: [port, port + 1],
    // The broker opens its port once it is registered and unfenced. After a kill it first recovers its log.
    ready: () => kafkaAnswers(port),
    readyTimeoutMs: 60_000,
  })
  return { ...engine, brokers: `127.0.0.1:${port}` }
}

async function formatStorage(args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('java', [...args])
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string }
    if (code === 'ENOENT') {
      throw new Error(
        'Java 17 is needed to run Kafka. Debian: apt-get install openjdk-17-jre-headless. macOS: brew install openjdk@17.',
      )
    }
    throw new Error(`Kafka's storage could not be formatted:\n${stdout ?? ''}${stderr ?? ''}`)
  }
}

function serverProperties(port: number, dataDir: string): string {
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${port + 1}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=${dataDir}
num.partitions=6
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.min.session.timeout.ms=1000
`
}
