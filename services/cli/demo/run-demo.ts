import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { accessKeyHash, generateAccessKey } from '../../core/control/access-key.ts'
import { systemClock } from '../../core/runtime/clock.ts'
import { createProgress, grouped, tellWhile } from '../ingest/progress.ts'
import { STATE_DIR } from '../local-environment.ts'
import { STAGE_NAMES } from '../stages.ts'
import { openSystem, type System } from '../supervisor/system.ts'
import { type DemoConnections, openDemoConnections } from './demo-connections.ts'
import { demoDashboard } from './demo-dashboard.ts'
import { arrivals, countRun, lookBefore } from './demo-steps.ts'
import { DEMO_KEYS, type SentTraffic, sendDemoTraffic } from './demo-traffic.ts'
import { showLive } from './live-line.ts'
import { renderReconciliation } from './reconcile.ts'

export interface DemoOptions {
  readonly stateDir: string
  readonly configFile: string
  readonly events: number
  readonly seed: number
  readonly single: boolean
  readonly portOffset: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Stay up after the table until the signal aborts. */
  readonly stay: boolean
  readonly signal: AbortSignal
}

/** The stage that is killed without warning while traffic flows, after this share of the events. */
const KILLED = { stage: 'enricher', afterShare: 0.4 }

/** There is no load balancer that would have to notice that the collector ends. */
const DEMO_ENV = { MILLRACE_KAFKA_PARTITIONS: '3', MILLRACE_COLLECTOR_DRAIN_GRACE: '0s' }

/** The demo sends events; nobody records a screen in it. */
const STAGES = STAGE_NAMES.filter((name) => name !== 'recordings')

const progress = createProgress(process.stdout, systemClock.monotonic)
const print = progress.done

/**
 * The whole system on this machine, traffic through its door, and the table that says whether every event is where
 * it has to be.
 *
 * @returns whether every line balances
 */
export async function runDemo(options: DemoOptions): Promise<boolean> {
  const startedMs = systemClock.monotonic()
  const elapsed = () => `${((systemClock.monotonic() - startedMs) / 1000).toFixed(1).padStart(6)} s`
  const adminKey = generateAccessKey('admin', randomBytes)
  const system = await openSystem({
    stateDir: options.stateDir,
    stages: STAGES,
    single: options.single,
    portOffset: options.portOffset,
    env: { ...DEMO_ENV, ...options.env, MILLRACE_ADMIN_KEY_SHA256: accessKeyHash(adminKey) },
    onUnit: ({ name, state, problem }) => {
      if (state === 'ready') print(`${elapsed()}  ${name} is ready`)
      if (state === 'waiting') print(`${elapsed()}  ${name} is gone (${problem}) and is started again`)
      if (state === 'failed') print(`${elapsed()}  ${name} does not start: ${problem}`)
    },
    onLeftBehind: (names) => print(`Stopped what an earlier run had left behind: ${names.join(', ')}.`),
  })
  try {
    print(`${elapsed()}  starting Kafka, an S3 server, ClickHouse and ${STAGES.length} stages`)
    const starting = () => system.status().flatMap(({ name, state }) => (state === 'ready' ? [] : [name]))
    const waiting = () => `${elapsed()}  waiting for ${starting().join(', ')}`
    await tellWhile(progress, waiting, system.start())
    const failed = system.status().filter(({ state }) => state !== 'ready')
    if (failed.length > 0)
      throw new Error(
        `Not everything came up: ${failed.map(({ name }) => name).join(', ')}. See ${join(options.stateDir, 'logs')}.`,
      )
    const connections = await openDemoConnections({ ...options.env, ...system.addresses })
    try {
      return await demonstrate(options, system, connections, adminKey, elapsed)
    } finally {
      await connections.close()
    }
  } finally {
    print(`${elapsed()}  stopping: stages finish what they accepted, then the engines stop`)
    const running = () => system.status().flatMap(({ name, pid }) => (pid === null ? [] : [name]))
    await tellWhile(progress, () => `${elapsed()}  waiting for ${running().join(', ')} to end`, system.stop())
  }
}

async function demonstrate(
  options: DemoOptions,
  system: System,
  connections: DemoConnections,
  adminKey: string,
  elapsed: () => string,
): Promise<boolean> {
  await connections.apply(options.configFile, () => {})
  print(`${elapsed()}  applied ${options.configFile}`)
  await finishEarlierRun(connections, options.signal, elapsed)
  const before = await lookBefore(connections)
  const sent = await send(options, system, connections, elapsed)
  print(
    `${elapsed()}  waiting until everything has arrived; each place is then counted by a reader of its own`,
  )
  let doing = ''
  const arrived = arrivals(connections, options.signal, ({ name, offsets }) => {
    doing = `${name} has ${grouped(offsets)} offsets to go`
  })
  const counting = countRun(connections, sent, before, arrived, (what) => {
    doing = `counting ${what}`
    print(`${elapsed()}  ${doing}`)
  })
  const table = await tellWhile(progress, () => `${elapsed()}  ${doing}`, counting)
  print(`\n${renderReconciliation(table)}`)
  printRepetitions(sent, system)
  if (options.signal.aborted) return table.balanced
  const api = { url: connections.queryUrl, adminKey, readKey: DEMO_KEYS.shop.read }
  print(await demoDashboard(api, sent.run, systemClock.now()))
  printWhereToLook(options, system, connections)
  if (options.stay) {
    print('Everything stays up until Ctrl-C.')
    await showLive(connections, options.signal)
  }
  return table.balanced
}

async function send(
  options: DemoOptions,
  system: System,
  connections: DemoConnections,
  elapsed: () => string,
): Promise<SentTraffic & { readonly run: number }> {
  const run = nextRun(options.stateDir)
  const startedMs = systemClock.monotonic()
  let killed: Promise<void> | null = null
  const { events, seed } = options
  const traffic = { events, seed, run, untilMs: systemClock.now(), eventsPerSecond: null }
  const sent = await sendDemoTraffic(connections.collectorUrl, traffic, options.signal, (acknowledged) => {
    if (killed === null && !options.single && acknowledged >= options.events * KILLED.afterShare) {
      print(`${elapsed()}  kill -9 ${KILLED.stage}, in the middle of the traffic`)
      killed = system.kill(KILLED.stage)
    }
    progress.update(() => `${elapsed()}  run ${run}: ${grouped(acknowledged)} events acknowledged`)
  })
  await killed
  const seconds = (systemClock.monotonic() - startedMs) / 1000
  progress.done(
    `${elapsed()}  run ${run}: ${grouped(sent.acknowledged.size)} events acknowledged in ${seconds.toFixed(1)} s, ${grouped(sent.acknowledged.size / seconds)}/s`,
  )
  for (const [dataset, { refused, unknown, problems }] of Object.entries(sent.ledger)) {
    if (refused + unknown > 0)
      throw new Error(`${refused + unknown} events of ${dataset} were not taken: ${problems[0]}`)
  }
  return { ...sent, run }
}

async function finishEarlierRun(
  connections: DemoConnections,
  signal: AbortSignal,
  elapsed: () => string,
): Promise<void> {
  const { files, rows } = arrivals(connections, signal, ({ name, offsets }) =>
    progress.update(
      () => `${elapsed()}  finishing what an earlier run left: ${name} has ${grouped(offsets)} offsets to go`,
    ),
  )
  await Promise.all([files, rows])
  progress.done(`${elapsed()}  nothing of an earlier run is left to finish`)
}

function printRepetitions({ acknowledged }: SentTraffic, system: System): void {
  const answers = [...acknowledged.values()].reduce((sum, times) => sum + times, 0)
  const restarts = system.status().reduce((sum, unit) => sum + unit.restarts, 0)
  print(
    `${grouped(answers)} events were acknowledged, ${grouped(answers - acknowledged.size)} of them repetitions that were removed; ${restarts} ${restarts === 1 ? 'process was' : 'processes were'} killed and restarted.\n`,
  )
}

function printWhereToLook(
  { stateDir }: DemoOptions,
  { addresses }: System,
  { brokers, bucket, clickhouse, collectorUrl, queryUrl }: DemoConnections,
): void {
  // What is up in the usual place is found by every command; another one must be named.
  const exports = Object.entries(addresses).map(([name, value]) => `${name}=${value}`)
  const first = stateDir === STATE_DIR ? '' : `  first    export ${exports.join(' ')}\n`
  print(`Where to look:
${first}  send     curl ${collectorUrl}/v1/events -H 'authorization: Bearer ${DEMO_KEYS.shop.write}' \\
                -H 'content-type: application/json' -d '{"event":"page_view","distinct_id":"me"}'
  topics   bin/millrace tail shop-purchases            (brokers: ${brokers})
  files    s3://${bucket.bucket}/warehouse/, manifests under _manifests/; bin/millrace verify warehouse
  SQL      curl '${clickhouse.url}/?database=${clickhouse.database}' -d 'SELECT dataset_id, event, count() FROM events GROUP BY ALL ORDER BY 3 DESC LIMIT 10 FORMAT Pretty'
  API      curl '${queryUrl}/api/datasets/shop/insights/trend?events=%5B%7B%22id%22:%22purchase%22%7D%5D' -H 'authorization: Bearer ${DEMO_KEYS.shop.read}'
  rejected bin/millrace rejected ls --dataset shop
`)
}

/** Runs of one state directory are numbered, so that each sends events that were never sent before. */
function nextRun(stateDir: string): number {
  const file = join(stateDir, 'demo', 'run')
  mkdirSync(join(stateDir, 'demo'), { recursive: true })
  let last = 0
  try {
    last = Number(readFileSync(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  writeFileSync(file, `${last + 1}\n`)
  return last + 1
}
