import { fork, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DemoConnections, openDemoConnections } from '../../services/cli/demo/demo-connections.ts'
import { isDrained, lagOf } from '../../services/cli/demo/lag.ts'
import { type ChaosSystem, openChaosSystem } from './chaos-system.ts'
import { consumersOf } from './consumers.ts'
import { FAULTS, type Fault, type FaultContext } from './faults.ts'
import { ChaosLedger } from './ledger.ts'
import type { LoadOptions, LoadReport } from './load.ts'
import { judge } from './oracle.ts'
import type { Outage } from './outage.ts'
import { eachLine } from './read-places.ts'
import { measureRecovery, percentile, type Recovery } from './recovery.ts'
import { isBalanced, type Verdict } from './verdict.ts'

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
  /** Faults that go on at the same time; 2 when left out. */
  readonly atOnce?: number
  /** Rounds of kills after which recovery is measured; the first thing done, while nothing else is wrong. */
  readonly recoveries: number
  /** SIGTERMs of collectors, one after another, before that. */
  readonly rolling: number
}

export interface ChaosResult {
  readonly seed: number
  readonly brokers: number
  readonly startedAt: string
  /** What ran, and on what: abbreviated commit, with `+` when files differed from it. */
  readonly commit: string
  readonly command: string
  readonly machine: string
  readonly seconds: number
  readonly load: LoadReport
  /** Times each fault was inflicted. */
  readonly faults: Readonly<Record<string, number>>
  readonly figures: Readonly<Record<string, number>>
  readonly drainSeconds: number
  readonly recovery: Recovery
  /** SIGTERMs of collectors, and requests that failed meanwhile. */
  readonly rolling: { readonly times: number; readonly failedTries: number }
  /** Ends of processes that nobody meant: none but those that threw where they were told to. */
  readonly unplanned: readonly string[]
  readonly verdict: Verdict
}

/** Past it something hangs. A slow machine needs minutes for what faults held up, ms. */
const DRAIN_MAX_MS = 900_000
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
  print('starting engines, proxies and two processes of every stage')
  const system = await openChaosSystem({
    stateDir,
    brokers: options.brokers,
    partitions: PARTITIONS,
    random: Math.random,
    onUnplanned({ name, code, signal, armed }) {
      if (armed === null) unplanned.push(`${name} ended with ${signal ?? `status ${code}`}`)
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
      ledgerFile: join(stateDir, 'ledger'),
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
    await untilStoresAreEmpty(system, options)
    const drainSeconds = await drain(connections, options)
    print(`everything has arrived ${drainSeconds.toFixed(1)} s after the load ended`)
    for (const [kind, times] of system.s3Double.inflicted) count(`s3 ${kind}`, times)
    for (const [name, times] of system.clickhouseDouble.inflicted) count(`clickhouse ${name}`, times)
    await countMarks(stateDir, system, count)
    const verdict = await judge(
      connections,
      ChaosLedger.load(join(stateDir, 'ledger')),
      seed,
      sent.sent as number,
      options.progress,
    )
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
      verdict,
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

interface Load {
  readonly report: LoadReport
  /** Stops sending; resolves when the last request has its answer and the ledger is on disk. */
  end(): Promise<LoadReport>
  kill(): void
}

function startLoad(options: LoadOptions): Load {
  const child = fork(join(import.meta.dirname, 'load.ts'), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let report: LoadReport = {
    acked: 0,
    stored: 0,
    refused: 0,
    unknown: 0,
    repeated: 0,
    conflicts: 0,
    failedTries: 0,
    oddAnswers: [],
    sent: null,
  }
  const ended = Promise.withResolvers<LoadReport>()
  ended.promise.catch(() => undefined)
  child.on('message', (message: LoadReport) => {
    report = message
    if (message.sent !== null) ended.resolve(message)
  })
  child.once('exit', (code) => ended.reject(new Error(`The load ended with status ${code}.`)))
  child.send({ start: options })
  return {
    get report() {
      return report
    },
    end() {
      child.send({ stop: true })
      return ended.promise
    },
    kill: () => void child.kill('SIGKILL'),
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
): Promise<ChaosResult['rolling']> {
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

/** What collectors answered 202 is in Kafka before anybody asks where Kafka ends. */
async function untilStoresAreEmpty(system: ChaosSystem, { progress }: ChaosOptions): Promise<void> {
  const deadline = performance.now() + DRAIN_MAX_MS
  for (const { stage, name } of system.stages) {
    if (stage !== 'collector') continue
    for (;;) {
      const bytes = await storedBytes(system.opsPorts.get(name) as number)
      if (bytes === 0) break
      progress(`${name} stores ${bytes ?? 'who knows how many'} bytes`)
      if (performance.now() > deadline)
        throw new Error(`${name} did not send what it stores; ${bytes} bytes to go.`)
      await sleep(200)
    }
  }
}

/** Null while the process does not say; 0 where there is no store. */
async function storedBytes(opsPort: number): Promise<number | null> {
  try {
    const answer = await fetch(`http://127.0.0.1:${opsPort}/metrics`, { signal: AbortSignal.timeout(2_000) })
    const line = /^millrace_collector_store_bytes (\S+)$/m.exec(await answer.text())
    return line === null ? 0 : Number(line[1])
  } catch {
    return null
  }
}

/** Waits until every consumer has committed past the last record. @returns seconds */
async function drain(connections: DemoConnections, options: ChaosOptions): Promise<number> {
  const startedMs = performance.now()
  for (const consumer of consumersOf(connections.names)) {
    while (!(await isDrained(connections.log, consumer, 300))) {
      const { offsets } = await lagOf(connections.log, consumer)
      options.progress(`${consumer.name} has ${offsets} offsets to go`)
      if (performance.now() - startedMs > DRAIN_MAX_MS)
        throw new Error(
          `${consumer.name} did not finish within ${DRAIN_MAX_MS / 1000} s; ${offsets} offsets to go.`,
        )
      await sleep(200)
    }
  }
  return (performance.now() - startedMs) / 1000
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

function outageLine({ away, seconds, otherBefore, otherDuring, catchUp }: Outage): string {
  return `${away} away for ${seconds} s: the other sink lags ${otherDuring.toFixed(2)} s, ${otherBefore.toFixed(2)} s before; its own caught up in ${catchUp.seconds.toFixed(1)} s at ${catchUp.timesLive.toFixed(1)} × live`
}

/** What was measured before any fault. */
function renderRecovery({ recovery, rolling }: Pick<ChaosResult, 'recovery' | 'rolling'>): string {
  return `recovery, ms                                                                                      n      p50      p99
${[
  ...Object.entries(recovery.firstCommit).map(
    ([stage, values]) => [`${stage} killed, a partition of it is committed again`, values] as const,
  ),
  ['everything killed, accepting', recovery.accepting] as const,
  ['everything killed, in ClickHouse', recovery.fresh] as const,
]
  .map(
    ([name, values]) =>
      `  ${name.padEnd(90)}${[values.length, percentile(values, 0.5) ?? '-', percentile(values, 0.99) ?? '-'].map((n) => String(n).padStart(9)).join('')}`,
  )
  .join('\n')}
caught up after half a minute away                                                                n    s p50 least × live
${Object.entries(recovery.catchUp)
  .map(
    ([name, all]) =>
      `  ${name.padEnd(90)}${[
        String(all.length),
        percentile(
          all.map(({ seconds }) => seconds),
          0.5,
        )?.toFixed(1) ?? '-',
        Math.min(...all.map(({ timesLive }) => timesLive)).toFixed(1),
      ]
        .map((text) => text.padStart(9))
        .join('')}`,
  )
  .join('\n')}
${recovery.outages.map((outage) => `  ${outageLine(outage)}\n`).join('')}  ${rolling.times} rolling SIGTERMs of collectors: ${rolling.failedTries} failed requests`
}

/** What it says at its end. */
export function renderResult(result: ChaosResult): string {
  const { verdict, faults, figures } = result
  const table = (rows: readonly (readonly [string, number])[]) =>
    rows.map(([name, value]) => `  ${name.padEnd(92)} ${String(value).padStart(9)}`).join('\n')
  const kills = Object.entries(figures).filter(([name]) => name.startsWith('kills '))
  return `
faults inflicted
${table(Object.entries(faults).sort())}
figures
${table(Object.entries(figures).sort())}
${renderRecovery(result)}
places                      found     lost  doubled spurious corrupted
${verdict.places
  .map(
    ({ place, found, lost, doubled, spurious, corrupted }) =>
      `  ${place.padEnd(26)}${String(found).padStart(7)}${[lost, doubled, spurious, corrupted].map((n) => String(n).padStart(9)).join('')}`,
  )
  .join('\n')}
${verdict.faults.map((fault) => `  ${fault}\n`).join('')}${result.unplanned.map((end) => `  unplanned: ${end}\n`).join('')}${result.load.oddAnswers.map((answer) => `  odd answer: ${answer}\n`).join('')}
${kills.reduce((sum, [, times]) => sum + times, 0)} kills, ${result.load.stored} events stored for later, ${result.load.repeated} sent again on purpose, ${verdict.duplicatesRemoved} repetitions removed
${verdict.acknowledged} acknowledged, ${verdict.lost} lost, ${verdict.duplicated} duplicated`
}

/** What can be asked for in the environment, with what is done otherwise. */
const DEFAULTS = {
  MINUTES: '5',
  SEED: String(Date.now() % 1_000_000),
  BROKERS: '1',
  RATE: '800',
  RECOVERIES: '1',
  ROLLING: '2',
  ONLY: '',
  AT_ONCE: '2',
}
const quoted = (text: string) => (/^[\w.-]+$/.test(text) ? text : `'${text}'`)

if (import.meta.main) {
  // So that 'exit' comes, at which everything that was started is ended.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  const root = join(import.meta.dirname, '../..')
  const given = Object.keys(DEFAULTS).flatMap((name) => {
    const value = process.env[name]
    return value ? [[name, value] as const] : []
  })
  const { MINUTES, SEED, BROKERS, RATE, RECOVERIES, ROLLING, ONLY, AT_ONCE } = {
    ...DEFAULTS,
    ...(Object.fromEntries(given) as Partial<typeof DEFAULTS>),
  }
  const faults = FAULTS.filter(({ name }) => ONLY.split('|').some((part) => name.includes(part)))
  if (faults.length === 0)
    throw new Error(
      `No fault is named like ${ONLY}. There are: ${FAULTS.map(({ name }) => name).join('; ')}.`,
    )
  const out = process.env.OUT || join(root, '.millrace', 'chaos')
  const stateDir = join(out, `state-${SEED}-${process.pid}`)
  const startedMs = performance.now()
  const elapsed = () => `${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s`
  const live = process.stdout.isTTY
  const result = await runChaos({
    stateDir,
    seed: Number(SEED),
    command: ['make chaos', ...given.map(([name, value]) => `${name}=${quoted(value)}`)].join(' '),
    faultsMs: Number(MINUTES) * 60_000,
    brokers: BROKERS === '3' ? 3 : 1,
    eventsPerSecond: Number(RATE),
    recoveries: Number(RECOVERIES),
    rolling: Number(ROLLING),
    faults,
    atOnce: Number(AT_ONCE),
    print: (text) => process.stdout.write(`${live ? '\r\x1b[K' : ''}${elapsed()}  ${text}\n`),
    progress: (text) => void (live && process.stdout.write(`\r\x1b[K${elapsed()}  ${text.slice(0, 140)}`)),
  })
  process.stdout.write(`${renderResult(result)}\n`)
  writeFileSync(
    join(out, `result-${result.startedAt.replace(/\D/g, '')}-${SEED}.json`),
    JSON.stringify(result, null, 2),
  )
  process.exitCode = isBalanced(result.verdict) ? 0 : 1
}
