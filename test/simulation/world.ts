import { pino } from 'pino'
import { recordingsTopicSpec, topicSpecs } from '../../services/core/kafka/topic-specs.ts'
import { controlView } from '../helpers/memory-control.ts'
import { createMemoryLog } from '../helpers/memory-log.ts'
import { createMemoryObjectStore } from '../helpers/memory-object-store.ts'
import { memoryWarehouse } from '../services/clickhouse-sink/memory-warehouse.ts'
import { createMemoryIdentityStore } from '../services/identity/memory-identity-store.ts'
import { createMemoryTables } from '../services/identity/memory-tables.ts'
import type { Kernel } from './kernel.ts'
import { type Faults, SimulatedProcess } from './process.ts'
import { type Run, stageRuns } from './simulated-stages.ts'
import type { Lasting, Send, Surroundings } from './surroundings.ts'
import { type Tally, TOLD } from './tally.ts'
import {
  BUCKET,
  DATASETS,
  DEDUPE_WINDOW_MS,
  DELIVERIES,
  GROUPS,
  names,
  PARTITIONS,
  SMALL_WINDOW,
  SUBSCRIPTIONS,
} from './world-config.ts'

/** What outlives every process, and the processes that are up. */
export interface World extends Lasting {
  readonly processes: ReadonlySet<SimulatedProcess>
  /** Our own mistakes: a process that ended by an error that is not the world's. */
  readonly mistakes: string[]
  /** What stages called an operator for; nothing in here needs one. */
  readonly alarms: string[]
  /** Sends to a collector that is up, or to none. */
  readonly send: Send
  readonly expire: Surroundings['expire']
  close(): void
}

/** Starts two of every stage. Whoever dies or ends comes up again after a while. */
export async function createWorld(kernel: Kernel, faults: Readonly<Faults>, tally: Tally): Promise<World> {
  // A process's poll has been under way for a while already when it gets here.
  const log = createMemoryLog({ clock: kernel.clock, turn: async () => {} })
  // As on a real broker: whoever is a member may commit for a partition that went to another one.
  log.controls.acceptStale('of_members')
  await log.admin.createTopics(
    topicSpecs(names, { partitions: PARTITIONS, replicationFactor: -1, dedupeWindowMs: DEDUPE_WINDOW_MS }),
  )
  await log.admin.createTopics([
    recordingsTopicSpec(names, { partitions: PARTITIONS, replicationFactor: -1 }),
  ])
  const store = createMemoryObjectStore()
  await store.createBucket(BUCKET)
  const warehouse = memoryWarehouse(faults.forgetful ? { ...SMALL_WINDOW, clock: kernel.clock } : undefined)
  const identity = { store: createMemoryIdentityStore(), tables: createMemoryTables() }
  const control = controlView({
    datasets: DATASETS,
    subscriptions: SUBSCRIPTIONS,
    deliveries: DELIVERIES,
  })
  const processes = new Set<SimulatedProcess>()
  const everybody: SimulatedProcess[] = []
  const mistakes: string[] = []
  const alarms: string[] = []
  const doors = new Map<SimulatedProcess, Send>()
  let isOpen = true
  let made = 0

  /** What a stage logs is part of the trace; the time is that of the simulation. */
  function logger(process: SimulatedProcess) {
    const write = (line: string) => {
      const { level, msg, err, ...rest } = JSON.parse(line)
      const more = Object.keys(rest).length > 0 ? ` ${JSON.stringify(rest)}` : ''
      const text = `${process.name} logs: ${msg}${more}${err ? ` (${err.message})` : ''}`
      kernel.note(text)
      const told = TOLD[msg]
      if (told) tally[told]++
      if (level >= pino.levels.values.error!) alarms.push(text)
    }
    return pino({ level: 'info', base: {}, timestamp: false }, { write })
  }

  function start(role: string, run: Run): void {
    if (!isOpen) return
    const process = new SimulatedProcess(kernel, `${role}#${++made}`, faults, tally, log)
    processes.add(process)
    everybody.push(process)
    kernel.note(`${process.name} starts`)
    const again = () => {
      processes.delete(process)
      doors.delete(process)
      kernel.at(kernel.between(200, 3_000), () => start(role, run))
    }
    process.onDeath = again
    run(process).then(
      () => process.alive && again(),
      (error: unknown) => {
        if (!process.alive) return
        // What the world did to it is no mistake: the supervisor starts it again.
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
        if (!(error instanceof Error && error.name === 'DependencyError'))
          mistakes.push(`${process.name}: ${text}`)
        kernel.note(`${process.name} ends: ${text}`)
        process.kill()
      },
    )
  }

  function expire(role: keyof typeof GROUPS): void {
    kernel.note(`all of ${role} die, and their groups' positions expire`)
    tally.expired++
    for (const process of [...processes].filter(({ name }) => name.startsWith(`${role}#`))) {
      process.kill()
      process.leave()
    }
    for (const group of GROUPS[role]) log.controls.expireGroupOffsets(group)
  }

  function door() {
    const up = [...doors.values()]
    return up[Math.floor(kernel.random() * up.length)]
  }

  const runs = stageRuns({
    kernel,
    faults,
    tally,
    log,
    store,
    warehouse,
    identity,
    control,
    doors,
    get made() {
      return made
    },
    next: () => ++made,
    logger,
    expire,
  })
  for (const [role, run] of Object.entries(runs)) for (let n = 0; n < 2; n++) start(role, run)

  return {
    log,
    store,
    warehouse,
    identity,
    control,
    processes,
    mistakes,
    alarms,
    async send(dataset, body, key) {
      const patience = kernel.delay(15_000).then(() => 'no answer' as const)
      return Promise.race([door()?.(dataset, body, key) ?? ('no answer' as const), patience])
    },
    expire,
    close() {
      isOpen = false
      for (const process of processes) process.onDeath = () => {}
      for (const process of processes) process.kill()
      // A signal made of others is kept by the runtime until one of them aborts, and with it the whole world.
      for (const process of everybody) process.stopping.abort()
    },
  }
}
