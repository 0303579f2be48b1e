import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { TABLE_FAIL_POINTS } from '../../services/clickhouse-sink/table-sink.ts'
import { COLLECTOR_FAIL_POINTS } from '../../services/collector/fail-points.ts'
import { PLANNED_FAIL_POINTS } from '../../services/core/stream/planned-batch.ts'
import { ENRICHER_FAIL_POINTS } from '../../services/enricher/fail-points.ts'
import { IDENTITY_FAIL_POINTS } from '../../services/identity/fail-points.ts'
import { RECORDING_FAIL_POINTS } from '../../services/recordings/recording-sink.ts'
import { DELIVERY_FAIL_POINTS } from '../../services/s3-sink/deliver-batch.ts'
import { ROUTER_FAIL_POINTS } from '../../services/subscriber-router/fail-points.ts'
import type { ChaosStage, ChaosSystem } from './chaos-system.ts'
import type { ClickHouseFaultPlan } from './clickhouse-double.ts'
import type { S3FaultPlan } from './s3-double.ts'
import type { SmallDisk } from './small-disk.ts'
import type { Direction, TcpProxy, Toxic } from './tcp-proxy.ts'

/** What a fault is inflicted on and with. */
export interface FaultContext {
  readonly system: ChaosSystem
  /** Whom kills, at random or at fail points, are drawn from. */
  readonly victims: ChaosSystem['stages']
  /** In [0, 1), seeded. */
  readonly random: () => number
  /** Adds to the run's figures: `kills enricher`, `fail point enricher after_send`. */
  readonly count: (figure: string, by?: number) => void
  /** SQL past the proxy. */
  readonly clickhouse: (statement: string) => Promise<void>
  readonly stopping: AbortSignal
}

export interface Fault {
  readonly name: string
  /** Rows of the fault matrix that it stands for. */
  readonly rows: readonly number[]
  /** How often it is drawn beside the others. */
  readonly weight: number
  /** Two of it may go on at once: each has a target of its own. */
  readonly many?: true
  /** Inflicts it and takes it back; resolves when it is over. */
  readonly inflict: (context: FaultContext) => Promise<void>
}

const SINK_POINTS = { before: PLANNED_FAIL_POINTS.slice(0, 2), after: PLANNED_FAIL_POINTS.slice(2) }

/** Every fail point of a stage. */
export const FAIL_POINTS: Readonly<Record<ChaosStage, readonly string[]>> = {
  collector: COLLECTOR_FAIL_POINTS,
  enricher: ENRICHER_FAIL_POINTS,
  'subscriber-router': ROUTER_FAIL_POINTS,
  's3-sink': [...SINK_POINTS.before, ...DELIVERY_FAIL_POINTS, ...SINK_POINTS.after],
  'clickhouse-sink': [...SINK_POINTS.before, ...TABLE_FAIL_POINTS, ...SINK_POINTS.after],
  identity: IDENTITY_FAIL_POINTS,
  recordings: [...SINK_POINTS.before, ...RECORDING_FAIL_POINTS, ...SINK_POINTS.after],
}

/** Points that are passed as something begins: a kill a little later lands in the middle of it. */
const BEGINNINGS = new Set(['during_body', 'mid_encode', 'mid_put', 'during_insert'])
/** How long a process is given to pass its point, ms. A sink passes its last ones once a batch, and has a share of them. */
const ARMED_MAX_MS = 25_000
const SINK_ARMED_MAX_MS = 60_000

function pick<T>(from: readonly T[], random: () => number): T {
  return from[Math.floor(random() * from.length)] as T
}

const between = (random: () => number, from: number, to: number) => Math.round(from + random() * (to - from))

async function pause(ms: number, { stopping }: FaultContext): Promise<void> {
  await sleep(ms, undefined, { signal: stopping }).catch(() => undefined)
}

const killOne: Fault = {
  name: 'kill -9 of a stage, at random',
  rows: [12, 13, 14, 15],
  weight: 10,
  async inflict({ victims, random, count }) {
    const target = pick(victims, random)
    await target.kill(between(random, 50, 1_500))
    count(`kills ${target.stage}`)
  },
}

/** Points at which one process dies in a row, each time started with the next one. */
const DEATHS_IN_A_ROW = 5
/** Per stage the point taken last: all are taken in turn. */
const turns = new Map<ChaosStage, number>()
/** Stages of which one process waits for its point. The other one does the work meanwhile. */
const waiting = new Set<ChaosStage>()

const isSink = (stage: ChaosStage) => stage.endsWith('-sink') || stage === 'recordings'

function nextPoint(
  stage: ChaosStage,
  random: () => number,
): { readonly point: string; readonly plan: string } {
  const points = FAIL_POINTS[stage]
  const turn = ((turns.get(stage) ?? Math.floor(random() * points.length)) + 1) % points.length
  turns.set(stage, turn)
  const point = points[turn] as string
  const late = BEGINNINGS.has(point) ? `=kill ${between(random, 0, 15)}ms` : ''
  const passes = isSink(stage) ? 1 : between(random, 1, 4)
  return { point, plan: `${point}:${passes}${late}` }
}

const killAtPoint: Fault = {
  name: 'kill -9 at a fail point',
  rows: [12, 13, 14, 15],
  weight: 14,
  many: true,
  async inflict({ victims, random, count, stopping }) {
    const free = victims.filter(({ stage }) => !waiting.has(stage))
    if (free.length === 0) throw new Error('every stage waits for a point of its own')
    const target = pick(free, random)
    const { stage } = target
    waiting.add(stage)
    try {
      let { point, plan } = nextPoint(stage, random)
      await target.kill(50, plan)
      count(`kills ${stage}`)
      for (let left = DEATHS_IN_A_ROW; left > 0; left--) {
        const next = left > 1 && !stopping.aborted ? nextPoint(stage, random) : null
        if (next) target.armNext(next.plan)
        const armedMs = isSink(stage) ? SINK_ARMED_MAX_MS : ARMED_MAX_MS
        if (!(await target.untilArmedExit(armedMs))) {
          count(`not passed: ${stage} ${point}`)
          return await target.disarm()
        }
        count(`kills ${stage}`)
        count(`fail point ${stage} ${point}`)
        if (next === null) return
        point = next.point
      }
    } finally {
      waiting.delete(stage)
    }
  },
}

const misbehave: Fault = {
  name: 'a stage throws, sleeps past its session, or holds its event loop',
  rows: [18, 50, 51],
  weight: 3,
  async inflict({ system, random, count }) {
    const target = pick(
      system.stages.filter(({ stage }) => stage !== 'collector'),
      random,
    )
    const action = pick(['throw', 'sleep 9s', 'busy 9s'], random)
    const point = pick(FAIL_POINTS[target.stage], random)
    await target.kill(50, `${point}:${between(random, 1, 3)}=${action}`)
    count(`kills ${target.stage}`)
    const threw = await target.untilArmedExit(15_000)
    count(`${threw ? 'threw' : action.split(' ')[0]} ${target.stage}`)
    await target.disarm()
  },
}

const stopOne: Fault = {
  name: 'SIGSTOP of a stage for longer than its session',
  rows: [11, 19],
  weight: 4,
  async inflict(context) {
    const { system, random, count } = context
    const target = pick(system.stages, random)
    target.signal('SIGSTOP')
    await pause(between(random, 7_000, 11_000), context)
    target.signal('SIGCONT')
    count(`stopped ${target.stage}`)
  },
}

const killBroker: Fault = {
  name: 'kill -9 of a broker',
  rows: [1],
  weight: 2,
  async inflict(context) {
    const { system, random, count } = context
    const broker = pick(system.brokers, random)
    await broker.kill()
    count('kills broker')
    await pause(pick([0, 1_000, 5_000], random), context)
    await broker.start()
  },
}

const stopBroker: Fault = {
  name: 'SIGSTOP of a broker for 5 s',
  rows: [2],
  weight: 1,
  async inflict(context) {
    const broker = pick(context.system.brokers, context.random)
    broker.signal('SIGSTOP')
    await pause(5_000, context)
    broker.signal('SIGCONT')
  },
}

/** What goes through a proxy is spoilt for a while. */
async function spoil(
  proxy: TcpProxy,
  toxic: Toxic,
  direction: Direction,
  ms: number,
  context: FaultContext,
): Promise<void> {
  proxy.setToxics([toxic], direction)
  await pause(ms, context)
  proxy.setToxics([])
}

/** A server answers by a plan for a while. */
async function answerBy<Plan>(
  server: { setFaults(plans: readonly Plan[]): void },
  plan: Plan,
  ms: number,
  context: FaultContext,
): Promise<void> {
  server.setFaults([plan])
  await pause(ms, context)
  server.setFaults([])
}

const badBrokerNetwork: Fault = {
  name: 'connections to a broker: reset, late, sliced, narrow, cut, black hole',
  rows: [3, 4, 5, 53],
  weight: 5,
  async inflict(context) {
    const { system, random, count } = context
    const proxy = pick(system.kafkaProxies, random)
    const toxic = pick<Toxic>(
      [
        { kind: 'reset_peer', bytes: between(random, 1_000, 200_000) },
        { kind: 'limit_data', bytes: between(random, 1_000, 200_000) },
        { kind: 'latency', ms: 400, jitterMs: 300 },
        { kind: 'slicer', bytes: 500, ms: 1 },
        { kind: 'bandwidth', bytesPerSecond: 300_000 },
        { kind: 'timeout', ms: 4_000 },
        { kind: 'down' },
      ],
      random,
    )
    await spoil(
      proxy,
      toxic,
      pick<Direction>(['up', 'down', 'both'], random),
      between(random, 1_500, 6_000),
      context,
    )
    count(`kafka ${toxic.kind}`)
  },
}

const killClickHouse: Fault = {
  name: 'kill -9 of ClickHouse',
  rows: [30],
  weight: 2,
  async inflict(context) {
    const { system, random, count } = context
    await system.clickhouse.kill()
    count('kills clickhouse')
    await pause(pick([0, 2_000, 6_000], random), context)
    await system.clickhouse.start()
  },
}

const badClickHouseNetwork: Fault = {
  name: 'connections to ClickHouse: answers cut, reset, late, black hole',
  rows: [31, 33],
  weight: 4,
  async inflict(context) {
    const { system, random, count } = context
    const toxic = pick<Toxic>(
      [
        { kind: 'reset_peer', bytes: between(random, 1, 50_000) },
        { kind: 'limit_data', bytes: between(random, 1, 200) },
        { kind: 'latency', ms: 2_000, jitterMs: 1_000 },
        { kind: 'timeout', ms: 3_000 },
        { kind: 'down' },
      ],
      random,
    )
    const direction = pick<Direction>(['up', 'down'], random)
    await spoil(system.clickhouseProxy, toxic, direction, between(random, 2_000, 6_000), context)
    count(`clickhouse ${toxic.kind}`)
  },
}

const forgetfulClickHouse: Fault = {
  name: 'a sink dies after its insert and comes back when ClickHouse has forgotten the token',
  rows: [34],
  weight: 2,
  async inflict(context) {
    const { system, random, count, clickhouse } = context
    const target = pick(
      system.stages.filter(({ stage }) => stage === 'clickhouse-sink'),
      random,
    )
    for (const table of ['events', 'rejected_events'])
      await clickhouse(`ALTER TABLE ${table} MODIFY SETTING non_replicated_deduplication_window = 2`)
    await target.kill(50, 'after_insert:1')
    count('kills clickhouse-sink')
    if (await target.untilArmedExit(SINK_ARMED_MAX_MS)) {
      count('kills clickhouse-sink')
      count('tokens forgotten')
    } else await target.disarm()
    await pause(3_000, context)
    for (const table of ['events', 'rejected_events'])
      await clickhouse(`ALTER TABLE ${table} MODIFY SETTING non_replicated_deduplication_window = 100000`)
  },
}

/** Settings under which a table of the real engine takes no insert, with the error it then gives. */
const TABLE_REFUSALS = [
  { error: 'TOO_MANY_PARTS', setting: 'parts_to_throw_insert', value: '1' },
  { error: 'NOT_ENOUGH_SPACE', setting: 'min_free_disk_bytes_to_perform_insert', value: '1000000000000000' },
  { error: 'TABLE_IS_PERMANENTLY_READ_ONLY', setting: 'table_readonly', value: '1' },
] as const
/** Those that the sink writes: rows, and what vouches for them. */
const SINK_TABLES = ['events', 'rejected_events', 'batches']
const HEAL_MAX_MS = 60_000

const refusingTables: Fault = {
  name: 'ClickHouse has too many parts, a full disk, or a table set to read-only',
  rows: [32],
  weight: 2,
  async inflict(context) {
    const { random, count, clickhouse } = context
    const { error, setting, value } = pick(TABLE_REFUSALS, random)
    const tables = random() < 0.5 ? SINK_TABLES : [pick(SINK_TABLES, random)]
    try {
      for (const table of tables)
        await clickhouse(`ALTER TABLE ${table} MODIFY SETTING ${setting} = ${value}`)
      await pause(between(random, 4_000, 10_000), context)
      count(`clickhouse ${error}`)
    } finally {
      for (const table of tables)
        await heal(() => clickhouse(`ALTER TABLE ${table} RESET SETTING ${setting}`))
    }
  },
}

/** What was done is undone, also when another fault has the server down at the moment. */
async function heal(undo: () => Promise<void>): Promise<void> {
  for (const until = performance.now() + HEAL_MAX_MS; ; await sleep(200))
    try {
      return await undo()
    } catch (error) {
      if (performance.now() > until) throw error
    }
}

const refusingClickHouse: Fault = {
  name: 'ClickHouse answers: read-only, quota, too many queries, no memory (also after the insert), or 15 s late',
  rows: [31, 32],
  weight: 3,
  async inflict(context) {
    const { system, random } = context
    const plan = pick<ClickHouseFaultPlan>(
      [
        { fault: { kind: 'refuse', error: 'READONLY' }, probability: 1, meets: 'inserts' },
        { fault: { kind: 'refuse', error: 'QUOTA_EXCEEDED' }, probability: 1, meets: 'all' },
        { fault: { kind: 'refuse', error: 'TOO_MANY_SIMULTANEOUS_QUERIES' }, probability: 0.5, meets: 'all' },
        { fault: { kind: 'refuse', error: 'MEMORY_LIMIT_EXCEEDED' }, probability: 0.5, meets: 'all' },
        { fault: { kind: 'lie', error: 'MEMORY_LIMIT_EXCEEDED' }, probability: 0.5, meets: 'inserts' },
        { fault: { kind: 'late', ms: 15_000 }, probability: 0.5, meets: 'inserts' },
      ],
      random,
    )
    await answerBy(system.clickhouseDouble, plan, between(random, 5_000, 10_000), context)
  },
}

const ALL_METHODS = ['GET', 'HEAD', 'PUT']

const badStore: Fault = {
  name: 'S3: SlowDown, 500, 409, answers that never come, cut uploads, flipped bytes, errors under 200',
  rows: [23, 24, 25, 26, 29],
  weight: 5,
  async inflict(context) {
    const { system, random } = context
    const plan = pick<S3FaultPlan>(
      [
        { fault: { kind: 'refuse', status: 503, code: 'SlowDown' }, probability: 0.3, methods: ALL_METHODS },
        {
          fault: { kind: 'refuse', status: 500, code: 'InternalError' },
          probability: 0.5,
          methods: ALL_METHODS,
        },
        {
          fault: { kind: 'refuse', status: 409, code: 'ConditionalRequestConflict' },
          probability: 0.3,
          methods: ['PUT'],
        },
        { fault: { kind: 'stall', ms: 2_000 }, probability: 0.3, methods: ['PUT'] },
        { fault: { kind: 'cut', bytes: between(random, 0, 20_000) }, probability: 0.4, methods: ['PUT'] },
        { fault: { kind: 'flip' }, probability: 0.4, methods: ['PUT'] },
        { fault: { kind: 'error_body', code: 'InternalError' }, probability: 0.3, methods: ['PUT'] },
      ],
      random,
    )
    await answerBy(system.s3Double, plan, between(random, 4_000, 10_000), context)
  },
}

const denyingServers: Fault = {
  name: 'S3 or ClickHouse lets nobody in: expired token, wrong password, no grant',
  rows: [27],
  weight: 2,
  async inflict(context) {
    const { system, random } = context
    const which = pick(['ExpiredToken', 'AUTHENTICATION_FAILED', 'ACCESS_DENIED'] as const, random)
    const ms = between(random, 3_000, 8_000)
    if (which === 'ExpiredToken') {
      const fault = { kind: 'refuse', status: 403, code: which } as const
      await answerBy(system.s3Double, { fault, probability: 1, methods: ALL_METHODS }, ms, context)
    } else {
      const fault = { kind: 'refuse', error: which } as const
      const meets = which === 'ACCESS_DENIED' ? 'inserts' : 'all'
      await answerBy(system.clickhouseDouble, { fault, probability: 1, meets }, ms, context)
    }
  },
}

/** Spools are open only while they are written to. */
async function untilReadOnly(disk: SmallDisk | null): Promise<boolean> {
  for (let tries = 0; tries < 40; tries++) {
    if (await disk?.setReadOnly(true)) return true
    await sleep(25)
  }
  return false
}

const badDisk: Fault = {
  name: 'a disk is full, read-only, or fails its syncs: of the collector’s store, or of the S3 sinks',
  rows: [48],
  weight: 2,
  async inflict(context) {
    const { system, random, count } = context
    const place = random() < 0.6 ? 'store' : 'spool'
    const how =
      place === 'store' ? pick(['full', 'read-only', 'failing'], random) : pick(['full', 'read-only'], random)
    const disk = system.disks[place]
    const storing = system.stages.find(({ name }) => name === 'collector-2')!
    if (disk === null && how !== 'failing')
      throw new Error('This machine lets nobody mount a disk of his own.')
    // A store that is open cannot become read-only any more.
    if (how === 'read-only' && !(await untilReadOnly(disk)))
      throw new Error('Files are open all the time: the disk stays writable.')
    // Records are stored only while Kafka is away.
    if (place === 'store') for (const proxy of system.kafkaProxies) proxy.setToxics([{ kind: 'down' }])
    try {
      await pause(between(random, 3_000, 5_000), context)
      if (how === 'failing') storing.hurt({ syncFails: true })
      else if (how === 'full') disk?.fill(pick([0, 8_192], random))
      await pause(between(random, 2_000, 5_000), context)
      count(`disk of ${place}s ${how}`)
    } finally {
      storing.hurt({ syncFails: false })
      await disk?.setReadOnly(false)
      disk?.empty()
      for (const proxy of system.kafkaProxies) proxy.setToxics([])
    }
    // What the disk has is then read by a process that remembers nothing.
    if (place === 'store' && random() < 0.5) {
      await storing.kill(100)
      count('kills collector')
    }
  },
}

const HOUR_MS = 3_600_000
const CLOCKS = [
  { how: '+2 h', shiftMs: 2 * HOUR_MS, rate: 1 },
  { how: '-3 h', shiftMs: -3 * HOUR_MS, rate: 1 },
  { how: 'twice as fast', shiftMs: 0, rate: 2 },
  { how: '+80 years', shiftMs: 80 * 365.25 * 24 * HOUR_MS, rate: 1 },
]

const badClock: Fault = {
  name: 'the clock of a stage jumps, and back, or runs fast',
  rows: [46],
  weight: 2,
  async inflict(context) {
    const { system, random, count } = context
    const target = pick(system.stages, random)
    const { how, ...clock } = pick(CLOCKS, random)
    target.hurt({ clock: { ...clock, sinceMs: Date.now() } })
    await pause(between(random, 5_000, 12_000), context)
    target.hurt({ clock: undefined })
    count(`clock of ${target.stage} ${how}`)
  },
}

const noHandles: Fault = {
  name: 'a stage may open no further file or connection',
  rows: [49],
  weight: 2,
  async inflict(context) {
    const { system, random, count } = context
    const target = pick(system.stages, random)
    const { pid } = target
    if (pid === null) throw new Error(`${target.name} is away.`)
    const prlimit = (...asked: string[]) =>
      execFileSync('prlimit', ['--pid', String(pid), ...asked], { encoding: 'utf8' }).trim()
    const before = prlimit('--nofile', '--noheadings', '--raw', '--output', 'SOFT')
    // The soft limit only: the hard one would not go up again.
    prlimit(`--nofile=${readdirSync(`/proc/${pid}/fd`).length}:`)
    await pause(between(random, 3_000, 8_000), context)
    count(`no handles ${target.stage}`)
    // One that ended of it was started again under the limit that everybody has.
    if (target.pid === pid) prlimit(`--nofile=${before}:`)
  },
}

const storm: Fault = {
  name: 'rebalance storm: a member leaves and joins every 2 s',
  rows: [17],
  weight: 1,
  async inflict(context) {
    const { system, random, count } = context
    const target = pick(
      system.stages.filter(({ stage }) => stage === 'enricher' || stage === 'subscriber-router'),
      random,
    )
    for (let times = 0; times < 5 && !context.stopping.aborted; times++) {
      await target.kill(100)
      count(`kills ${target.stage}`)
      await pause(2_000, context)
    }
  },
}

const killEverything: Fault = {
  name: 'kill -9 of every stage at once',
  rows: [16],
  weight: 1,
  async inflict({ system, count }) {
    await Promise.all(
      system.stages.map(async (stage) => {
        await stage.kill(100)
        count(`kills ${stage.stage}`)
      }),
    )
    count('everything killed')
  },
}

const terminate: Fault = {
  name: 'SIGTERM of a stage',
  rows: [45],
  weight: 3,
  async inflict({ system, random, count }) {
    const target = pick(system.stages, random)
    const { code, signal } = await target.terminate()
    count(`terminated ${target.stage}`)
    if (code !== 0) count(`terminated, exit ${code ?? signal}`)
  },
}

export const FAULTS: readonly Fault[] = [
  killOne,
  killAtPoint,
  misbehave,
  stopOne,
  killBroker,
  stopBroker,
  badBrokerNetwork,
  killClickHouse,
  badClickHouseNetwork,
  forgetfulClickHouse,
  refusingTables,
  refusingClickHouse,
  badStore,
  denyingServers,
  badDisk,
  badClock,
  noHandles,
  storm,
  killEverything,
  terminate,
]
