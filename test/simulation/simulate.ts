import { forbidChance } from './forbid-chance.ts'
import { createKernel, type Kernel } from './kernel.ts'
import { startClients } from './ledger.ts'
import { countRemoved, freshFaults, judge } from './oracle.ts'
import { DEAF_MAX_MS, type Faults, NO_FAULTS, SESSION_MS } from './process.ts'
import { recordingFaults, startRecorders } from './recorders.ts'
import { createTally, type Tally } from './tally.ts'
import { createWorld, type World } from './world.ts'
import { DATASETS, GROUPS, names, PARTITIONS } from './world-config.ts'

export interface History {
  readonly seed: number
  /** One sentence each; empty for a history in which everything is as promised. */
  readonly faults: readonly string[]
  /** Oracle: what was promised was not kept. Mistake: a process ended by an error of its own. Stuck: not drained. */
  readonly verdict: 'kept' | 'oracle' | 'mistake' | 'stuck'
  readonly acknowledged: number
  readonly tally: Tally
  /** Virtual time, s. */
  readonly simulatedSeconds: number
  readonly events: number
  readonly traceHash: string
  readonly trace: readonly string[]
}

/** How long clients send while everything breaks, ms. */
const TROUBLE_MS = 60_000
/** How long a healed world may take to deliver everything, ms. */
const HEAL_MAX_MS = 600_000
/** How long a healed and idle world may take to deliver a fresh event to every place, ms. */
const FRESH_MAX_MS = 60_000
const REQUESTS = 60
const CHUNKS = 40
/** How far the clock of a machine may be off, ms. */
const CLOCK_ERROR_MAX_MS = 3 * 3_600_000
const LOOK_EVERY_MS = 250
/** How long what is not seen from outside may take after that, ms. */
const SETTLE_MS = 120_000
const SETTLE_STEP_MS = 10_000

/**
 * One history: two of every stage, clients, and trouble as the seed has it; then the trouble ends, everything has to
 * arrive, and the oracle judges.
 */
export async function simulate(seed: number): Promise<History> {
  const allowChance = forbidChance()
  try {
    return await tell(seed)
  } finally {
    allowChance()
  }
}

async function tell(seed: number): Promise<History> {
  const kernel = createKernel(seed)
  const faults = drawFaults(kernel)
  const tally = createTally()
  kernel.note(`seed ${seed}: ${JSON.stringify(faults)}`)
  const world = await createWorld(kernel, faults, tally)
  const ledger = startClients(kernel, world.send, REQUESTS, TROUBLE_MS)
  const recorded = startRecorders(kernel, world.send, CHUNKS, TROUBLE_MS)
  makeTrouble(kernel, { ...faults }, world, TROUBLE_MS)
  await kernel.run(() => kernel.now >= TROUBLE_MS, TROUBLE_MS)
  Object.assign(faults, NO_FAULTS)
  kernel.note('the trouble ends')
  const isDrained = await drains(kernel, world, () => ledger.isDone && recorded.isDone, HEAL_MAX_MS)
  let isFlowing = true
  if (isDrained) {
    kernel.note('fresh events are sent')
    let isSent = false
    void ledger.sendFresh(DATASETS.map(({ id }) => id)).then(() => {
      isSent = true
    })
    isFlowing = await drains(kernel, world, () => isSent, FRESH_MAX_MS)
  }
  const judgeAll = () => [...judge(world, ledger), ...recordingFaults(world, recorded)]
  const isHalted = world.mistakes.length > 0 || world.alarms.length > 0
  let found = isDrained || isHalted ? judgeAll() : [stuck(world)]
  // A subscription in a lane of its own has its place outside of the group, and may still be on its way back.
  for (let wait = 0; isDrained && found.length > 0 && wait < SETTLE_MS; wait += SETTLE_STEP_MS) {
    await kernel.run(() => false, SETTLE_STEP_MS)
    found = judgeAll()
  }
  if (isDrained) found.push(...freshFaults(ledger))
  if (!isFlowing)
    found.push(
      `What was sent after the trouble is not everywhere after ${FRESH_MAX_MS / 1000} s: ${stuck(world)}`,
    )
  found.unshift(...world.alarms.map((alarm) => `Nothing here needs an operator, but ${alarm}`))
  const verdict =
    world.mistakes.length > 0
      ? 'mistake'
      : !isDrained && !isHalted
        ? 'stuck'
        : found.length > 0
          ? 'oracle'
          : 'kept'
  Object.assign(tally, countRemoved(world))
  world.close()
  return {
    seed,
    faults: [...world.mistakes, ...found],
    verdict,
    acknowledged: ledger.events.filter(({ fate }) => fate === 'acked').length,
    tally,
    simulatedSeconds: kernel.now / 1000,
    events: kernel.events,
    traceHash: kernel.traceHash(),
    trace: kernel.trace,
  }
}

/** Lets time pass until everything has arrived. @returns false when it has not in time, or a partition stopped */
async function drains(
  kernel: Kernel,
  world: World,
  isSent: () => boolean,
  limitMs: number,
): Promise<boolean> {
  for (let waited = 0; waited < limitMs; waited += LOOK_EVERY_MS) {
    await kernel.run(() => false, LOOK_EVERY_MS)
    if (isSent() && hasArrived(world)) return true
    // A partition that stopped for good stays where it is.
    if (world.alarms.length > 0) return false
  }
  return false
}

const ROLES = ['collector', 'enricher', 'router', 's3-sink', 'clickhouse-sink', 'identity', 'recordings']

const PLANNED = Object.keys(GROUPS) as readonly (keyof typeof GROUPS)[]

/** Kinds of calls at which a process may mostly stand still. */
const CALLS = ['', 'insert', 'put', 'send', 'commit']

/** Mostly mild, now and then as bad as it gets, and now and then mostly for one stage. */
function drawFaults(kernel: Kernel): Faults {
  const upTo = (most: number) => most * kernel.random() ** 3
  const forgetful = kernel.chance(0.3)
  return {
    loss: upTo(0.3),
    lostAnswer: upTo(0.3),
    crash: upTo(0.02),
    pause: upTo(0.003),
    pauseAt: CALLS[Math.floor(kernel.random() * CALLS.length)] as string,
    forgetful,
    latencyMaxMs: kernel.between(1, 60),
    focus: {
      role: ROLES[Math.floor(kernel.random() * ROLES.length)] as string,
      times: kernel.chance(0.5) ? 1 : kernel.between(2, 10),
    },
  }
}

/** What comes from outside of a process: kill -9, SIGTERM, a changed configuration. */
function makeTrouble(kernel: Kernel, faults: Readonly<Faults>, world: World, overMs: number): void {
  const anyone = () => {
    const up = [...world.processes]
    return up[Math.floor(kernel.random() * up.length)]
  }
  const count = Math.floor(kernel.between(0, 8))
  for (let n = 0; n < count; n++) {
    const isPolite = kernel.chance(0.4)
    kernel.at(kernel.between(0, overMs), () => {
      const process = anyone()
      if (!process) return
      kernel.note(`${process.name} ${isPolite ? 'is asked to end' : 'is killed'}`)
      if (isPolite) process.stopping.abort()
      else process.kill()
    })
  }
  for (let n = Math.floor(kernel.between(0, 4)); n > 0; n--)
    kernel.at(kernel.between(0, overMs), () => {
      const process = anyone()
      if (!process) return
      process.clockErrorMs = Math.round(kernel.between(-CLOCK_ERROR_MAX_MS, CLOCK_ERROR_MAX_MS))
      kernel.note(`the clock of ${process.name} is ${process.clockErrorMs} ms off`)
    })
  for (let n = Math.floor(kernel.between(0, 4)); n > 0; n--)
    kernel.at(kernel.between(0, overMs), () => anyone()?.forget(kernel.between(0, DEAF_MAX_MS)))
  /** Often too short for the process itself to notice; where tables forget, also longer than they remember. */
  const long = () => kernel.between(0.3, faults.forgetful ? 5 : 2) * SESSION_MS
  for (let n = Math.floor(kernel.between(0, 6)); n > 0; n--)
    kernel.at(kernel.between(0, overMs), () => {
      const sinks = [...world.processes].filter(({ name }) =>
        PLANNED.some((role) => name.startsWith(`${role}#`)),
      )
      const sink = sinks[Math.floor(kernel.random() * sinks.length)]
      const process = kernel.chance(0.8) ? sink : anyone()
      process?.cutOff(kernel.between(0.1, 0.9) * SESSION_MS)
      if (kernel.chance(0.5)) process?.pauseAtWrite(long())
    })
  for (let n = Math.floor(kernel.between(0, 4)); n > 0; n--)
    kernel.at(kernel.between(0, overMs), () => anyone()?.pauseAtWrite(long()))
  for (let n = Math.floor(kernel.between(0, 3)); n > 0; n--)
    kernel.at(kernel.between(0, overMs), () =>
      world.expire(PLANNED[Math.floor(kernel.random() * PLANNED.length)] as keyof typeof GROUPS),
    )
  if (kernel.chance(0.3))
    kernel.at(kernel.between(0, overMs), () => {
      kernel.note('the configuration changes')
      const { deliveries } = world.control.snapshot
      world.control.update({
        deliveries: [...deliveries.values()].map(({ object }) => ({
          ...object,
          rotate: { ...object.rotate, rows: 9 },
        })),
      })
    })
}

/** Every consumer has committed past the last record of its topic; an open transaction counts as not arrived. */
function hasArrived(world: World): boolean {
  return (
    consumers().every(({ group, topic }) => behind(world, group, topic) === 0) &&
    areChunksThrough(world) &&
    unresolved(world) === 0 &&
    world.identity.store.untold() === 0
  )
}

function consumers() {
  return [
    { group: names.group('enricher'), topic: names.raw },
    { group: names.group('subscriber-router'), topic: names.enriched },
    { group: names.group('s3-sink', 'lines'), topic: names.enriched },
    { group: names.group('s3-sink', 'table'), topic: names.enriched },
    { group: names.group('s3-sink', 'refused'), topic: names.rejected },
    { group: names.group('clickhouse-sink', 'events'), topic: names.enriched },
    { group: names.group('clickhouse-sink', 'rejected'), topic: names.rejected },
    { group: names.group('identity', 'repartition'), topic: names.enriched },
  ]
}

/**
 * What is said of persons and not written down yet. The database tells: the group's position is for those who watch,
 * nothing ticks in that topic, and one that a late commit moved back stays there until somebody is spoken of again.
 */
function unresolved(world: World): number {
  return recordsFrom(world, names.identity, (partition) => world.identity.store.nextOf(partition))
}

/**
 * Every chunk is a row, or the sink says that it is done with it: a chunk without a row is then for the oracle to find.
 * Positions alone do not tell: nothing ticks in that topic, so one that a late commit moved back stays there until
 * somebody records again.
 */
function areChunksThrough(world: World): boolean {
  return chunksToGo(world) <= 0 || behind(world, names.group('recordings'), names.recordings) === 0
}

/** Chunks that are no rows yet. */
function chunksToGo(world: World): number {
  return recordsFrom(world, names.recordings, () => 0) - world.warehouse.rows('recording_chunks').length
}

function behind(world: World, group: string, topic: string): number {
  return recordsFrom(
    world,
    topic,
    (partition) => world.log.controls.committed(group, { topic, partition }) ?? 0,
  )
}

/** Records of a topic from an offset of each partition on; those of an open transaction as well. */
function recordsFrom(world: World, topic: string, fromOf: (partition: number) => number): number {
  let count = 0
  for (let partition = 0; partition < PARTITIONS; partition++)
    count += world.log.controls.records(topic, partition, fromOf(partition))?.length ?? 0
  return count
}

function stuck(world: World): string {
  const left = consumers()
    .map(({ group, topic }) => ({ group, count: behind(world, group, topic) }))
    .concat(
      { group: names.group('identity', 'resolve'), count: unresolved(world) },
      { group: names.group('recordings'), count: chunksToGo(world) },
    )
    .filter(({ count }) => count > 0)
  return `Not everything arrived: ${left.map(({ group, count }) => `${group} has ${count} records to go`).join(', ') || 'a client still waits'}.`
}
