import { join } from 'node:path'
import { type ClickHouseEngine, startClickHouse } from '../../infra/engines/clickhouse.ts'
import { type KafkaEngine, startKafka } from '../../infra/engines/kafka.ts'
import { freePort, portFree } from '../../infra/engines/ports.ts'
import { S3_ACCESS_KEY, startS3Proxy } from '../../infra/engines/s3proxy.ts'
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** An engine that can be killed and started again on the same data. */
export interface ChaosEngine {
  readonly name: string
  readonly pid: number
  kill(): Promise<void>
  start(): Promise<void>
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
}

export interface EnginesOptions {
  /** What they keep lies here: started again on it, they hold what they held. */
  readonly stateDir: string
  readonly brokers: 1 | 3
  readonly partitions: number
}

export interface ChaosEngines {
  readonly brokers: readonly ChaosEngine[]
  /** One per broker. */
  readonly kafkaProxies: readonly TcpProxy[]
  /** Brokers as whoever has to go through the proxies knows them. */
  readonly proxied: string
  readonly clickhouse: ChaosEngine
  readonly clickhousePort: number
  readonly s3Port: number
  /** Environment of who reaches the engines themselves. */
  readonly direct: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/** Kafka, ClickHouse and an object store, with a proxy before each broker. */
export async function openChaosEngines(options: EnginesOptions): Promise<ChaosEngines> {
  const { stateDir } = options
  const closing: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close()
  }
  try {
    const { brokers, proxies: kafkaProxies, direct, proxied } = await openBrokers(options, closing)
    const clickhousePort = await freePort()
    const clickhouse = await engine('clickhouse', closing, () =>
      startClickHouse({ stateDir: join(stateDir, 'engines', 'clickhouse'), port: clickhousePort }),
    )
    const s3Port = await freePort()
    const s3 = await startS3Proxy({
      stateDir: join(stateDir, 'engines', 's3'),
      port: s3Port,
      buckets: ['millrace'],
    })
    closing.push(() => s3.stop())
    return {
      brokers,
      kafkaProxies,
      proxied,
      clickhouse,
      clickhousePort,
      s3Port,
      direct: {
        AWS_ACCESS_KEY_ID: S3_ACCESS_KEY.accessKeyId,
        AWS_SECRET_ACCESS_KEY: S3_ACCESS_KEY.secretAccessKey,
        MILLRACE_KAFKA_PARTITIONS: String(options.partitions),
        MILLRACE_KAFKA_BROKERS: direct,
        MILLRACE_CLICKHOUSE_URL: `http://127.0.0.1:${clickhousePort}`,
        MILLRACE_S3_ENDPOINT: `http://127.0.0.1:${s3Port}`,
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function openBrokers(options: EnginesOptions, closing: (() => Promise<void>)[]) {
  const places = []
  for (let id = 1; id <= options.brokers; id++) {
    const [port, listenPort] = [await freeTwoPorts(), await freePort()]
    const proxy = await openTcpProxy(await freePort(), listenPort)
    closing.push(() => proxy.close())
    places.push({ id, port, listenPort, proxy })
  }
  const controllerPorts = places.map(({ port }) => port + 1)
  const brokers = await Promise.all(
    places.map(({ id, port, listenPort, proxy }) =>
      engine(`kafka-${id}`, closing, () =>
        startKafka({
          stateDir: join(options.stateDir, 'engines', `kafka-${id}`),
          port,
          proxied: { port: listenPort, advertisedPort: proxy.port },
          node: { id, controllerPorts },
        }),
      ),
    ),
  )
  return {
    brokers,
    proxies: places.map(({ proxy }) => proxy),
    direct: places.map(({ port }) => `127.0.0.1:${port}`).join(','),
    proxied: places.map(({ proxy }) => `127.0.0.1:${proxy.port}`).join(','),
  }
}

/** Kafka takes the port after its own too. */
async function freeTwoPorts(): Promise<number> {
  for (;;) {
    const port = await freePort()
    if (await portFree(port + 1)) return port
  }
}

async function engine(
  name: string,
  closing: (() => Promise<void>)[],
  launch: () => Promise<KafkaEngine | ClickHouseEngine>,
): Promise<ChaosEngine> {
  let running = await launch()
  closing.push(async () => {
    try {
      process.kill(running.pid, 'SIGCONT')
    } catch {
      return // Killed, and not started again.
    }
    await running.stop()
  })
  return {
    name,
    get pid() {
      return running.pid
    },
    kill: () => running.kill(),
    async start() {
      running = await launch()
    },
    signal: (which) => void process.kill(running.pid, which),
  }
}
