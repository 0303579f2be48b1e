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
  /** A second listener that wants TLS and a sign-in (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512). */
  readonly secured?: SecuredListener
}

export interface SecuredListener {
  readonly port: number
  /** Private key and certificate for localhost. */
  readonly pemFile: string
  readonly user: string
  readonly password: string
}

const CLUSTER_ID = 'bWlsbHJhY2Uta2Fma2EtMQ'

/** Starts Apache Kafka in KRaft mode, one node being broker and controller. Formats the storage the first time. */
export async function startKafka(options: KafkaOptions): Promise<KafkaEngine> {
  const { stateDir, port } = options
  const jars = fetchJars('kafka')
  const dataDir = join(stateDir, 'data')
  mkdirSync(dataDir, { recursive: true })
  const properties = join(stateDir, 'server.properties')
  writeFileSync(properties, serverProperties(port, dataDir, options.secured))
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
    const users = options.secured ? scramUsers(options.secured) : []
    await formatStorage(
      java('kafka.tools.StorageTool', ['format', '-t', CLUSTER_ID, '-c', properties, ...users]),
    )
  }
  const engine = await startEngine({
    name: 'kafka',
    command: 'java',
    args: java('kafka.Kafka', [properties]),
    stateDir,
    ports: [port, port + 1, ...(options.secured ? [options.secured.port] : [])],
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

function scramUsers({ user, password }: SecuredListener): string[] {
  return ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${user},password=${password}]`,
  ])
}

function serverProperties(port: number, dataDir: string, secured: SecuredListener | undefined): string {
  const second = secured ? `,SECURED://127.0.0.1:${secured.port}` : ''
  return `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${port + 1}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}${second}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}${second.replace('127.0.0.1', 'localhost')}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL
${secured ? securedProperties(secured) : ''}log.dirs=${dataDir}
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

function securedProperties({ pemFile, user, password }: SecuredListener): string {
  const of = 'listener.name.secured'
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`
  return `${of}.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
${of}.plain.sasl.jaas.config=${plain}
${of}.scram-sha-256.sasl.jaas.config=${scram}
${of}.scram-sha-512.sasl.jaas.config=${scram}
${of}.ssl.keystore.type=PEM
${of}.ssl.keystore.location=${pemFile}
`
}
