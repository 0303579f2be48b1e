import { AsyncLocalStorage } from 'node:async_hooks'
import type { GroupConsumer, Log } from '../../services/core/kafka/log.ts'
import type { ManualClock } from './manual-clock.ts'
import type { MemoryLog } from './memory-log.ts'

/** One process of a world in memory: what it does can be counted, and it can be killed at any call it makes. */
export interface KillableProcess {
  readonly calls: string[]
  killAt: number
  dead: boolean
  /** Its polls hang: it does not learn what becomes of its partitions. */
  deaf: boolean
}

export interface RunningProcess {
  readonly process: KillableProcess
  /** Drains and ends it. */
  stop(): Promise<void>
  /** The group gives its partitions to others; it does not notice and goes on. */
  turnZombie(): Promise<void>
  /** Ends it where it is, and makes its groups forget it. */
  kill(): Promise<void>
  /** Rejects when it ends by an error. */
  readonly done: Promise<void>
}

/** Longest that a process takes to end once it is asked to, ms of the clock. */
const DRAIN_MS = 10_000

/** Processes over what is shared in one world. */
export function createProcesses(clock: ManualClock) {
  const current = new AsyncLocalStorage<KillableProcess>()
  return {
    /** What everything shared calls as an operation starts; nothing happens for the test itself. */
    async onCall(operation: string): Promise<void> {
      const process = current.getStore()
      if (process === undefined) return
      process.calls.push(operation)
      if (process.calls.length >= process.killAt) process.dead = true
      // A killed process does nothing more, ever.
      if (process.dead || (process.deaf && operation === 'poll')) await new Promise(() => undefined)
    },
    /**
     * @param run    the stage, with the log as this process has it
     * @param killAt number of the call at which it dies; never where it is left out
     */
    start(
      log: MemoryLog,
      run: (log: Log, stopping: AbortSignal) => Promise<void>,
      killAt = Number.POSITIVE_INFINITY,
    ): RunningProcess {
      const process: KillableProcess = { calls: [], killAt, dead: false, deaf: false }
      const consumers: GroupConsumer[] = []
      const own: Log = {
        ...log,
        async openGroupConsumer(options) {
          const consumer = await log.openGroupConsumer(options)
          consumers.push(consumer)
          return consumer
        },
      }
      const stopping = new AbortController()
      const done = current.run(process, () => run(own, stopping.signal))
      done.catch(() => undefined)
      async function expel(): Promise<void> {
        // A poll under way would join the group again.
        await clock.advance(500)
        for (const consumer of consumers) log.controls.expel(consumer)
      }
      return {
        process,
        done,
        async stop() {
          stopping.abort()
          await clock.advance(DRAIN_MS)
          await done
        },
        async turnZombie() {
          process.deaf = true
          await expel()
        },
        async kill() {
          process.dead = true
          await expel()
        },
      }
    },
  }
}
