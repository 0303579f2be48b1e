import { KAFKA_SETTINGS } from '../../core/kafka/kafka-settings.ts'
import { systemClock } from '../../core/runtime/clock.ts'
import { identify } from '../../core/runtime/process-lock.ts'
import type { StageName } from '../stages.ts'
import { engineUnits } from './engine-units.ts'
import {
  type RunState,
  readRunState,
  stopLeftBehind,
  superviseDirectory,
  withIdentities,
  writeRunState,
} from './run-state.ts'
import { publicPorts, stageUnits } from './stage-units.ts'
import { Supervisor, type UnitStatus } from './supervisor.ts'

export interface SystemOptions {
  readonly stateDir: string
  readonly stages: readonly StageName[]
  /** All stages in one process. */
  readonly single: boolean
  /** Added to every port. */
  readonly portOffset: number
  readonly env: Readonly<Record<string, string | undefined>>
  /** Told when a unit comes into another state. */
  readonly onUnit: (unit: UnitStatus) => void
  readonly onLeftBehind: (names: readonly string[]) => void
}

export interface System {
  /** Environment variables that say where everything is, engines and public ports. */
  readonly addresses: Readonly<Record<string, string>>
  status(): readonly UnitStatus[]
  /** Resolves when each unit is ready or has failed for good. @throws Error of an engine that did not come up */
  start(): Promise<void>
  /** SIGKILL for one unit; it is started again. */
  kill(name: string): Promise<void>
  /** Stages drain, then engines stop; the state file goes last. */
  stop(): Promise<void>
}

/**
 * Millrace on this machine: engines and stages under a supervisor, nothing started yet.
 *
 * @throws Error when the directory has a supervisor already
 */
export async function openSystem(options: SystemOptions): Promise<System> {
  // Every process that is started is ended with this one: a listener each, and that is no leak.
  process.setMaxListeners(0)
  const { stateDir, portOffset } = options
  const directory = superviseDirectory(stateDir)
  const before = readRunState(stateDir)
  if (before) {
    const left = await stopLeftBehind(before, systemClock)
    if (left.length > 0) options.onLeftBehind(left)
  }
  const engines = engineUnits(options)
  const addresses = { ...engines.addresses, ...publicPorts(portOffset, options.env) }
  const stages = stageUnits({ ...options, env: { ...options.env, ...addresses } })

  let phase: RunState['phase'] = 'starting'
  let problem: string | null = null
  const told = new Map<string, string>()
  const record = (status: readonly UnitStatus[]) => {
    const supervisor = identify(process.pid) ?? { pid: process.pid, started: '' }
    writeRunState(stateDir, { supervisor, phase, problem, addresses, units: withIdentities(status) })
  }
  const supervisor = new Supervisor([...engines.units, ...stages], {
    clock: systemClock,
    pollMs: 200,
    pollReadyMs: 2000,
    async prepare() {
      if (engines.addresses[KAFKA_SETTINGS.kafkaBrokers.variable] === undefined) return
      // Loaded here, so that a supervisor on somebody else's cluster never loads the Kafka client.
      const { prepareTopics } = await import('./prepare-topics.ts')
      await prepareTopics({ ...options.env, ...addresses })
    },
    onChange(status) {
      record(status)
      for (const unit of status) {
        if (told.get(unit.name) === unit.state) continue
        told.set(unit.name, unit.state)
        options.onUnit(unit)
      }
    },
  })
  for (const unit of supervisor.status()) told.set(unit.name, unit.state)
  record(supervisor.status())
  return {
    addresses,
    status: () => supervisor.status(),
    kill: (name) => supervisor.kill(name),
    async start() {
      try {
        await supervisor.start()
      } catch (error) {
        problem = (error as Error).message
        throw error
      } finally {
        const allReady = supervisor.status().every(({ state }) => state === 'ready')
        if (phase === 'starting') phase = problem === null && allReady ? 'up' : 'failed'
        record(supervisor.status())
      }
    },
    async stop() {
      phase = 'stopping'
      record(supervisor.status())
      await supervisor.stop()
      directory.release()
    },
  }
}
