import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DemoConnections, openDemoConnections } from '../../services/cli/demo/demo-connections.ts'
import { DEPENDENCY_FAILED } from '../../services/core/runtime/stage.ts'
import { openChaosEngines } from './chaos-engines.ts'
import {
  type ChaosResult,
  type ChaosRun,
  chunkLedgerFile,
  ledgerFile,
  loadRun,
  saveRun,
} from './chaos-result.ts'
import { type ChaosStage, type ChaosSystem, openChaosSystem } from './chaos-system.ts'
import { drain, untilPersonsAreTold, untilStoresAreEmpty } from './drain.ts'
import { FAULTS, type Fault, type FaultContext } from './faults.ts'
import { ChaosLedger } from './ledger.ts'
import { type Load, startLoad } from './load-process.ts'
import { judge } from './oracle.ts'
import { eachLine } from './read-places.ts'
import { measureRecovery } from './recovery.ts'
import { renderRecovery } from './render-result.ts'

export interface ChaosOptions {
  /** Engines' data, logs, ledger; empty. */
  readonly stateDir: string
  readonly seed: number
  /** As it is to be given to do the same again. */
  readonly command: string
  /** How long faults are inflicted. */
  readonly faultsMs: number
  /** On a slow machine they go on until so many kills, for at most five times as long; 0 when left out. */
  readonly leastKills?: number
  readonly brokers: 1 | 3
  readonly eventsPerSecond: number
  /** Told of every step, with seconds since the start before it. */
  readonly print: (text: string) => void
  /** Told several times a second, for a line that is written over. */
  readonly progress: (text: string) => void
  /** All when left out. */
  readonly faults?: readonly Fault[]
  /** Whose processes are killed at random and at fail points; of all stages when left out. */
  readonly kill?: readonly ChaosStage[]
  /** Faults that go on at the same time; 2 when left out. */
  readonly atOnce?: number
  /** Rounds of kills after which recovery is measured; the first thing done, while nothing else is wrong. */
  readonly recoveries: number
  /** SIGTERMs of collectors, one after another, before that. */
  readonly rolling: number
}

const PARTITIONS = 4

/** A random sequence that follows from the seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Everything up, load and faults at once, then quiet, drained and judged. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  saveRun(options.stateDir, await hurtSystem(options))
  options.print('the run is written down; its engines start again to be read')
  return judgeState(options.stateDir, options.progress)
}

/**
 * Starts the engines of a run that came to its end, and reads every place. As often as one likes: nothing is changed.
 *
 * @throws Error when no run came to its end in this directory
 */
export async function judgeState(stateDir: string, progress: (text: string) => void): Promise<ChaosResult> {
  const run = loadRun(stateDir)
  process.setMaxListeners(0)
  const engines = await openChaosEngines({ stateDir, brokers: run.brokers, partitions: PARTITIONS })
  let connections: DemoConnections | null = null
  try {
    connections = await openDemoConnections({ ...process.env, ...engines.direct })
    const books = {
      events: ChaosLedger.load(ledgerFile(stateDir)),
      chunks: ChaosLedger.load(chunkLedgerFile(stateDir)),
    }
    return { ...run, verdict: await judge(connections, books, run.seed, run.load.sent as number, progress) }
  } finally {
    await connections?.close()
    await engines.stop()
  }
}

async function hurtSystem(options: ChaosOptions): Promise<ChaosRun> {
  const { stateDir, seed, print } = options
  const startedAt = new Date().toISOString()
  const startedMs = performance.now()
  // Each process is ended with this one: a listener each.
  process.setMaxListeners(0)
  mkdirSync(stateDir, { recursive: true })
  const random = seededRandom(seed)
  const figures: Record<string, number> = {}
  const count = (figure: string, by = 1) => {
    figures[figure] = (figures[figure] ?? 0) + by
  }
  const unplanned: string[] = []
  print('starting engines, proxies and the processes of every stage')
  const system = await openChaosSystem({
    stateDir,
    brokers: options.brokers,
    partitions: PARTITIONS,
    random: Math.random,
    onUnplanned({ name, code, signal, armed }) {
      if (armed !== null) return
      if (code === DEPENDENCY_FAILED) count('ends because a dependency failed')
      else unplanned.push(`${name} ended with ${signal ?? `status ${code}`}`)
    },
  })
  let connections: DemoConnections | null = null
  let load: Load | null = null
  try {
    connections = await openDemoConnections({ ...process.env, ...system.direct })
    await connections.apply(join(import.meta.dirname, 'millrace.yaml'), () => {})
    await system.startStages()
    await untilReady(system)
    print('all ready; load and faults begin')
    load = startLoad({
      seed,
      collectorPorts: system.collectorPorts,
      opsPorts: system.stages
        .filter(({ stage }) => stage === 'collector')
        .map(({ name }) => system.opsPorts.get(name) as number),
      eventsPerSecond: options.eventsPerSecond,
      ledgerFile: ledgerFile(stateDir),
      chunkLedgerFile: chunkLedgerFile(stateDir),
      from: 0,
    })
    await sleep(3_000)
    const rolling = await rollCollectors(system, load, options)
    const recovery = await measureRecovery(system, connections, options.recoveries, count, options.progress)
    // Told at once: a run whose end is not balanced, or does not come, has measured it all the same.
    if (options.rolling > 0 || options.recoveries > 0) print(renderRecovery({ recovery, rolling }))
    const faults = await inflictFaults(options, system, connections, load, random, count)
    print('faults are over; the load ends')
    const sent = await load.end()
    await untilStoresAreEmpty(system, options.progress)
    const drainSeconds = await drain(connections, options.progress)
    await untilPersonsAreTold(system, PARTITIONS, options.progress)
    print(`everything has arrived ${drainSeconds.toFixed(1)} s after the load ended`)
    for (const [kind, times] of system.s3Double.inflicted) count(`s3 ${kind}`, times)
    for (const [name, times] of system.clickhouseDouble.inflicted) count(`clickhouse ${name}`, times)
    await countMarks(stateDir, system, count)
    return {
      seed,
      brokers: options.brokers,
      startedAt,
      commit: commitOf(),
      command: options.command,
      machine: `${availableParallelism()} cores (${cpus()[0]?.model.trim()})`,
      seconds: (performance.now() - startedMs) / 1000,
      load: sent,
      faults,
      figures,
      drainSeconds,
      recovery,
      rolling,
      unplanned,
    }
  } finally {
    load?.kill()
    await connections?.close()
    await system.stop()
  }
}

function commitOf(): string {
  const git = (...args: string[]) => spawnSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' })
  const { status, stdout } = git('rev-parse', '--short', 'HEAD')
  if (status !== 0) return 'unknown'
  return stdout.trim() + (git('status', '--porcelain').stdout.trim() === '' ? '' : '+')
}

async function untilReady(system: ChaosSystem): Promise<void> {
  const deadline = performance.now() + 300_000
  for (const port of system.opsPorts.values()) {
    while (!(await isReady(port))) {
      if (performance.now() > deadline)
        throw new Error(`The process with ops port ${port} does not become ready.`)
      await sleep(200)
    }
  }
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok
  } catch {
    return false
  }
}

async function inflictFaults(
  options: ChaosOptions,
  system: ChaosSystem,
  connections: DemoConnections,
  load: Load,
  random: () => number,
  count: (figure: string, by?: number) => void,
): Promise<Record<string, number>> {
  const faults = options.faults ?? FAULTS
  const total = faults.reduce((sum, { weight }) => sum + weight, 0)
  const inflicted: Record<string, number> = {}
  const running = new Set<string>()
  const stopping = new AbortController()
  const context: FaultContext = {
    system,
    victims: system.stages.filter(({ stage }) => options.kill?.includes(stage) ?? true),
    random,
    count(figure, by) {
      if (figure.startsWith('kills ')) kills += by ?? 1
      count(figure, by)
    },
    clickhouse: (statement) => eachLine(connections, statement, () => {}),
    stopping: stopping.signal,
  }
  const draw = (): Fault => {
    let at = random() * total
    for (const fault of faults) {
      at -= fault.weight
      if (at < 0) return fault
    }
    return faults[0]!
  }
  const startedMs = performance.now()
  const until = startedMs + options.faultsMs
  let kills = 0
  const goesOn = () =>
    performance.now() < until ||
    (kills < (options.leastKills ?? 0) && performance.now() < startedMs + 5 * options.faultsMs)
  const worker = async () => {
    while (goesOn()) {
      const fault = draw()
      // One of a kind at a time: two would take each other back.
      if (running.has(fault.name) && !fault.many) {
        await sleep(100)
        continue
      }
      running.add(fault.name)
      try {
        await fault.inflict(context)
        inflicted[fault.name] = (inflicted[fault.name] ?? 0) + 1
      } catch (error) {
        // A fault that met another one, such as a statement while ClickHouse is away.
        count(`not inflicted: ${fault.name}`)
        options.print(`${fault.name}: ${(error as Error).message}`)
      } finally {
        running.delete(fault.name)
      }
      await sleep(200 + random() * 1_500)
    }
  }
  const telling = setInterval(() => {
    const { acked, refused, unknown } = load.report
    const left = Math.max(0, Math.round((until - performance.now()) / 1000))
    options.progress(
      `${left} s of faults left; acked ${acked}, refused ${refused}, unknown ${unknown}; ${[...running].join(' | ')}`,
    )
  }, 500)
  await Promise.all(Array.from({ length: options.atOnce ?? 2 }, worker))
  clearInterval(telling)
  stopping.abort()
  return inflicted
}

/** One collector after another is asked to end, the next one when the one before takes events again. */
async function rollCollectors(
  system: ChaosSystem,
  load: Load,
  { rolling, progress }: ChaosOptions,
): Promise<ChaosRun['rolling']> {
  const collectors = system.stages.filter(({ stage }) => stage === 'collector')
  const before = load.report.failedTries
  for (let times = 0; times < rolling; times++) {
    const collector = collectors[times % collectors.length]!
    progress(`SIGTERM ${times + 1} of ${rolling}: ${collector.name}`)
    await collector.terminate()
    const opsPort = system.opsPorts.get(collector.name) as number
    while (!(await isReady(opsPort))) await sleep(50)
    // The client's look at readiness.
    await sleep(300)
  }
  if (rolling > 0) await sleep(1_500)
  return { times: rolling, failedTries: load.report.failedTries - before }
}

/** Sentences in the stages' logs that prove that faults bit. */
const MARKS: Readonly<Record<string, RegExp>> = {
  'plans replayed': /Replaying an open plan/,
  'members fenced': /fenced|not_assigned/,
  'partitions taken over': /Took over a raw partition/,
  'operator needed': /an operator must act/i,
  'stores filled': /records are kept in the store/,
}

async function countMarks(
  stateDir: string,
  system: ChaosSystem,
  count: (figure: string, by?: number) => void,
): Promise<void> {
  for (const { name } of system.stages) {
    const lines = readFileSync(join(stateDir, 'logs', `${name}.log`), 'utf8').split('\n')
    for (const line of lines)
      for (const [mark, pattern] of Object.entries(MARKS)) if (pattern.test(line)) count(mark)
  }
}
