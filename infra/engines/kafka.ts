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
  /** A listener whose clients are sent on to another port than it listens on: that of a proxy before it. */
  readonly proxied?: { readonly port: number; readonly advertisedPort: number }
  /** Which broker of a cluster this is; a cluster of one when left out. */
  readonly node?: ClusterNode
}

export interface ClusterNode {
  /** From 1. */
  readonly id: number
  /** Port of every broker's controller listener, in the order of their ids. */
  readonly controllerPorts: readonly number[]
}

export interface SecuredListener {
  readonly port: number
  /** Private key and certificate for localhost. */
  readonly pemFile: string
  readonly user: string
  readonly password: string
}

const CLUSTER_ID = 'bWlsbHJhY2Uta2Fma2EtMQ'

/**
 * Starts Apache Kafka in KRaft mode, each node being broker and controller. Formats the storage the first time. The
 * brokers of a cluster must be started beside each other: none is ready before most are there.
 */
export async function startKafka(options: KafkaOptions): Promise<KafkaEngine> {
  const { stateDir, port } = options
  const jars = fetchJars('kafka')
  const dataDir = join(stateDir, 'data')
  mkdirSync(dataDir, { recursive: true })
  const properties = join(stateDir, 'server.properties')
  writeFileSync(properties, serverProperties(options, dataDir))
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
    ports: [
      port,
      port + 1,
      ...[options.secured, options.proxied].flatMap((more) => (more ? [more.port] : [])),
    ],
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

function serverProperties(options: KafkaOptions, dataDir: string): string {
  const { port, secured, proxied } = options
  const node = options.node ?? { id: 1, controllerPorts: [port + 1] }
  const voters = node.controllerPorts.map((controller, index) => `${index + 1}@127.0.0.1:${controller}`)
  const listeners = [
    { name: 'PLAINTEXT', port },
    ...(secured ? [{ name: 'SECURED', port: secured.port, host: 'localhost' }] : []),
    ...(proxied ? [{ name: 'PROXIED', port: proxied.port, advertisedPort: proxied.advertisedPort }] : []),
  ]
  const listening = [...listeners, { name: 'CONTROLLER', port: port + 1 }]
  const replicas = Math.min(3, node.controllerPorts.length)
  const inSync = Math.max(1, replicas - 1)
  return `process.roles=broker,controller
node.id=${node.id}
controller.quorum.voters=${voters.join(',')}
listeners=${listening.map((each) => `${each.name}://127.0.0.1:${each.port}`).join(',')}
advertised.listeners=${listeners.map((each) => `${each.name}://${each.host ?? '127.0.0.1'}:${each.advertisedPort ?? each.port}`).join(',')}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL,PROXIED:PLAINTEXT
${secured ? securedProperties(secured) : ''}log.dirs=${dataDir}
num.partitions=6
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=${replicas}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=${replicas}
transaction.state.log.min.isr=${inSync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=${replicas}
share.coordinator.state.topic.min.isr=${inSync}
default.replication.factor=${replicas}
min.insync.replicas=${inSync}
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
