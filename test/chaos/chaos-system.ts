import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../infra/engines/ports.ts'
import { STAGE_NAMES, type StageName, stageNodeFlags } from '../../services/cli/stages.ts'
import { startLoggedProcess } from '../../services/cli/supervisor/logged-process.ts'
import { prepareTopics } from '../../services/cli/supervisor/prepare-topics.ts'
import { type ChaosEngine, type EnginesOptions, openChaosEngines } from './chaos-engines.ts'
import { type ClickHouseDouble, openClickHouseDouble } from './clickhouse-double.ts'
import { HURT_FILE, type Hurt, writeHurt } from './hurt-process.ts'
import { type KeptProcess, keepProcess, type UnplannedExit } from './kept-process.ts'
import { openS3Double, type S3Double } from './s3-double.ts'
import { openSmallDisk, type SmallDisk } from './small-disk.ts'
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** All that take part in delivering. */
export type ChaosStage = Exclude<StageName, 'query-api'>
export const CHAOS_STAGES = STAGE_NAMES.filter((name): name is ChaosStage => name !== 'query-api')

export interface ChaosProcess extends KeptProcess {
  readonly stage: ChaosStage
  /** Changes what it suffers from, and whoever is started in its place. */
  hurt(change: Hurt): void
}

export interface ChaosSystem {
  readonly stages: readonly ChaosProcess[]
  readonly collectorPorts: readonly number[]
  readonly opsPorts: ReadonlyMap<string, number>
  readonly brokers: readonly ChaosEngine[]
  readonly clickhouse: ChaosEngine
  /** One per broker. */
  readonly kafkaProxies: readonly TcpProxy[]
  readonly clickhouseProxy: TcpProxy
  /** Behind the proxy. */
  readonly clickhouseDouble: ClickHouseDouble
  readonly s3Double: S3Double
  /** Of the storing collector, and of all S3 sinks; null where the machine allows no mounts. */
  readonly disks: { readonly store: SmallDisk | null; readonly spool: SmallDisk | null }
  /** Environment of who reads past the proxies: the oracle. */
  readonly direct: Readonly<Record<string, string>>
  startStages(): Promise<void>
  stop(): Promise<void>
}

export interface ChaosSystemOptions extends EnginesOptions {
  readonly random: () => number
  readonly onUnplanned: (exit: UnplannedExit) => void
}

/** Of every stage but one: a SQLite file of persons belongs to one process. */
const INSTANCES = 2
/** More than stages put there while all is well; in memory, and as quickly full. */
const DISK_BYTES = 96 * 1024 * 1024
const HURT_PROCESS = join(import.meta.dirname, 'hurt-process.ts')
const MAIN = join(import.meta.dirname, '../../services/cli/main.ts')
const COMPILE_CACHE = join(import.meta.dirname, '../../.millrace/compile-cache')

/** Engines, the proxies before them, and the processes of every stage, which reach the engines through those only. */
export async function openChaosSystem(options: ChaosSystemOptions): Promise<ChaosSystem> {
  const { stateDir } = options
  const closing: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close()
  }
  try {
    const engines = await openChaosEngines(options)
    closing.push(() => engines.stop())
    const { brokers, clickhouse, kafkaProxies, clickhousePort, s3Port, direct } = engines
    const clickhouseDouble = await openClickHouseDouble(await freePort(), clickhousePort, options.random)
    const clickhouseProxy = await openTcpProxy(await freePort(), clickhouseDouble.port)
    const s3Double = await openS3Double(await freePort(), s3Port, options.random)
    closing.push(
      () => clickhouseDouble.close(),
      () => clickhouseProxy.close(),
      () => s3Double.close(),
    )

    await prepareTopics({ ...process.env, ...direct })

    const stageEnv = {
      ...process.env,
      ...direct,
      // As `bin/millrace` has it: stages are started hundreds of times.
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      MILLRACE_KAFKA_BROKERS: engines.proxied,
      MILLRACE_CLICKHOUSE_URL: `http://127.0.0.1:${clickhouseProxy.port}`,
      MILLRACE_S3_ENDPOINT: `http://127.0.0.1:${s3Double.port}`,
      MILLRACE_STATE_DIR: join(stateDir, 'state'),
      // Faults are shorter than the patience that suits a real network.
      MILLRACE_KAFKA_REQUEST_TIMEOUT: '8s',
      MILLRACE_S3_REQUEST_TIMEOUT: '8s',
      MILLRACE_S3_IDLE_TIMEOUT: '5s',
      MILLRACE_ENRICHER_TRANSACTION_TIMEOUT: '15s',
      MILLRACE_ROUTER_TRANSACTION_TIMEOUT: '15s',
      MILLRACE_IDENTITY_TRANSACTION_TIMEOUT: '15s',
      MILLRACE_COLLECTOR_DRAIN_GRACE: '500ms',
      MILLRACE_RECORDINGS_BATCH_AGE: '2s',
    }
    for (const name of ['state', 'hurt']) mkdirSync(join(stateDir, name), { recursive: true })
    const disks = {
      store: await openSmallDisk(join(stateDir, 'disks', 'store'), DISK_BYTES),
      spool: await openSmallDisk(join(stateDir, 'disks', 'spool'), DISK_BYTES),
    }
    closing.push(async () => void (await Promise.all(Object.values(disks).map((disk) => disk?.close()))))
    const opsPorts = new Map<string, number>()
    const collectorPorts: number[] = []
    const stages: ChaosProcess[] = []
    for (const stage of CHAOS_STAGES) {
      const instances = stage === 'identity' ? 1 : INSTANCES
      for (let instance = 1; instance <= instances; instance++) {
        const name = `${stage}-${instance}`
        const opsPort = await freePort()
        opsPorts.set(name, opsPort)
        const env: Record<string, string | undefined> = {
          ...stageEnv,
          MILLRACE_OPS_PORT: String(opsPort),
          MILLRACE_S3_SINK_SPOOL_DIR: join(disks.spool?.path ?? stateDir, 'spool', name),
          [HURT_FILE]: join(stateDir, 'hurt', name),
        }
        // One of each stage has a name in its groups and comes back to its partitions; another one is new each time.
        if (instance === 1) env.MILLRACE_KAFKA_GROUP_INSTANCE_ID = name
        if (stage === 'collector') {
          const port = await freePort()
          collectorPorts.push(port)
          env.MILLRACE_COLLECTOR_PORT = String(port)
          // One with a local store and one without: what either answers must be true.
          if (instance === 2)
            env.MILLRACE_COLLECTOR_STORE_DIR = join(disks.store?.path ?? stateDir, 'store', name)
        }
        const kept = keepProcess(
          name,
          (failPoint) =>
            startLoggedProcess({
              command: process.execPath,
              args: [...stageNodeFlags([stage]), '--import', HURT_PROCESS, MAIN, 'run', stage],
              env: { ...env, ...(failPoint === null ? {} : { MILLRACE_FAIL_POINT: failPoint }) },
              logFile: join(stateDir, 'logs', `${name}.log`),
              stopTimeoutMs: 30_000,
            }),
          options.onUnplanned,
        )
        let suffered: Hurt = {}
        const hurt = (change: Hurt) => {
          suffered = { ...suffered, ...change }
          writeHurt(join(stateDir, 'hurt', name), suffered)
        }
        stages.push(Object.assign(kept, { stage, hurt }))
      }
    }
    return {
      stages,
      collectorPorts,
      opsPorts,
      brokers,
      clickhouse,
      kafkaProxies,
      clickhouseProxy,
      clickhouseDouble,
      s3Double,
      disks,
      direct,
      async startStages() {
        closing.push(async () => void (await Promise.all(stages.map((stage) => stage.stop()))))
        for (const stage of stages) await stage.start()
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
