import type { Clock } from '../../core/runtime/clock.ts'
import { backOffMs, WELL_AFTER_MS } from './back-off.ts'

export interface ProcessExit {
  readonly code: number | null
  readonly signal: string | null
}

export interface RunningProcess {
  readonly pid: number
  /** Resolves when the process is gone; never rejects. */
  readonly exited: Promise<ProcessExit>
  /** Asks it to finish, ends it by force when it does not; resolves when it is gone. */
  stop(): Promise<void>
  /** SIGKILL, without a chance to finish. */
  kill(): Promise<void>
}

/** Something to keep running. */
export interface Unit {
  readonly name: string
  /** Engines start before stages and stop after them. */
  readonly kind: 'engine' | 'stage'
  /** Where it serves /metrics, /healthz and /readyz; null when it does not. */
  readonly opsPort: number | null
  /** Rejects when it could not be started; that counts as an exit. */
  start(): Promise<RunningProcess>
  /** Null when it is fit for work, else why not. Must not take longer than a few seconds. */
  problem(): Promise<string | null>
}

/**
 * `starting` → `ready` ⇄ `unready`, and from each of them:
 * `waiting` (it exited; it is started again after the back-off) → `starting`, or
 * `failed` (its settings are wrong; a restart would not help), or `stopped`.
 */
export type UnitState = 'starting' | 'ready' | 'unready' | 'waiting' | 'failed' | 'stopped'

export interface UnitStatus {
  readonly name: string
  readonly kind: Unit['kind']
  readonly state: UnitState
  readonly pid: number | null
  readonly opsPort: number | null
  /** How often it was started again. */
  readonly restarts: number
  /** One sentence about the last exit or about why it is not ready; null when there is nothing to say. */
  readonly problem: string | null
}

export interface SupervisorEnvironment {
  readonly clock: Clock
  /** Told after every change, with the status of every unit. */
  readonly onChange: (status: readonly UnitStatus[]) => void
  /** How often readiness is asked for while a unit is not ready, ms. */
  readonly pollMs: number
  /** How often afterwards, ms. */
  readonly pollReadyMs: number
  /** What stages find ready when they start; called once, when every engine is. A rejection ends the start. */
  readonly prepare: () => Promise<void>
}

/** Exit status of a process whose settings are wrong. */
const WRONG_SETTINGS = 2

interface Supervised {
  readonly unit: Unit
  status: UnitStatus
  running: RunningProcess | null
  /** Settles when the unit is not kept running any more. */
  done: Promise<void>
}

/** Keeps units running until it is stopped. */
export class Supervisor {
  readonly #environment: SupervisorEnvironment
  readonly #supervised: readonly Supervised[]
  readonly #stopping = new AbortController()
  #changed: () => void = () => {}

  constructor(units: readonly Unit[], environment: SupervisorEnvironment) {
    this.#environment = environment
    this.#supervised = units.map((unit) => ({
      unit,
      status: {
        name: unit.name,
        kind: unit.kind,
        state: 'stopped',
        pid: null,
        opsPort: unit.opsPort,
        restarts: 0,
        problem: null,
      },
      running: null,
      done: Promise.resolve(),
    }))
  }

  status(): readonly UnitStatus[] {
    return this.#supervised.map(({ status }) => status)
  }

  /**
   * Starts every engine, then every stage, and resolves when each is ready or has failed for good; what became of
   * them is in the status. Resolves early when it is stopped meanwhile.
   *
   * @throws Error of an engine that did not start the first time, or of `prepare`; the rest is then still up and
   *   wants a `stop`
   */
  async start(): Promise<void> {
    for (const kind of ['engine', 'stage'] as const) {
      const group = this.#supervised.filter(({ unit }) => unit.kind === kind)
      const firstStarts = group.map((supervised) => {
        const first = Promise.withResolvers<void>()
        supervised.done = this.#keepRunning(supervised, kind === 'engine' ? first : null)
        return kind === 'engine' ? first.promise : Promise.resolve()
      })
      await Promise.all(firstStarts)
      await this.#until(() => group.every(({ status }) => /^(ready|failed|stopped)$/.test(status.state)))
      if (this.#stopping.signal.aborted) return
      if (kind === 'engine') await this.#environment.prepare()
    }
  }

  /** Stages first, all at once, then the engines they need. Resolves when everything is gone. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    for (const kind of ['stage', 'engine'] as const) {
      await Promise.all(
        this.#supervised
          .filter(({ unit }) => unit.kind === kind)
          .map(async (supervised) => {
            await supervised.running?.stop()
            await supervised.done
          }),
      )
    }
  }

  /**
   * SIGKILL for one unit, which then is started again: for trying out that nothing is lost.
   *
   * @throws Error when no such unit runs
   */
  async kill(name: string): Promise<void> {
    const running = this.#supervised.find(({ unit }) => unit.name === name)?.running
    if (!running) throw new Error(`${name} does not run.`)
    await running.kill()
  }

  async #keepRunning(supervised: Supervised, first: PromiseWithResolvers<void> | null): Promise<void> {
    const { clock } = this.#environment
    const { unit } = supervised
    const stopping = this.#stopping.signal
    // Restarts since it last was well, which is what the back-off grows by.
    let streak = 0
    let isFirst = true
    while (!stopping.aborted) {
      this.#update(supervised, { state: 'starting', pid: null })
      const startedMs = clock.monotonic()
      let ending: string
      try {
        const running = await unit.start()
        supervised.running = running
        first?.resolve()
        this.#update(supervised, { pid: running.pid })
        // Asked to stop while it was starting: nobody else knows of it yet.
        if (stopping.aborted) await running.stop()
        const exit = await this.#watch(supervised, running)
        supervised.running = null
        if (stopping.aborted) break
        ending = sentenceOf(exit)
        if (exit.code === WRONG_SETTINGS) {
          this.#update(supervised, { state: 'failed', pid: null, problem: ending })
          return
        }
      } catch (error) {
        ending = (error as Error).message
        if (isFirst && first) {
          this.#update(supervised, { state: 'failed', pid: null, problem: ending })
          first.reject(error)
          return
        }
      }
      isFirst = false
      if (clock.monotonic() - startedMs >= WELL_AFTER_MS) streak = 0
      this.#update(supervised, { state: 'waiting', pid: null, problem: ending })
      await clock.sleep(backOffMs(streak++), stopping)
      if (!stopping.aborted) this.#update(supervised, { restarts: supervised.status.restarts + 1 })
    }
    first?.resolve()
    this.#update(supervised, { state: 'stopped', pid: null, problem: null })
  }

  /** Follows readiness until the process is gone. */
  async #watch(supervised: Supervised, running: RunningProcess): Promise<ProcessExit> {
    const { clock, pollMs, pollReadyMs } = this.#environment
    const gone = new AbortController()
    const exit = running.exited.then((result) => {
      gone.abort()
      return result
    })
    let wasReady = false
    // While it stops, not being ready is no news.
    while (!gone.signal.aborted && !this.#stopping.signal.aborted) {
      const problem = await supervised.unit.problem()
      if (gone.signal.aborted || this.#stopping.signal.aborted) break
      wasReady ||= problem === null
      const state = problem === null ? 'ready' : wasReady ? 'unready' : 'starting'
      this.#update(supervised, { state, problem })
      await clock.sleep(
        problem === null ? pollReadyMs : pollMs,
        AbortSignal.any([gone.signal, this.#stopping.signal]),
      )
    }
    return exit
  }

  #update(supervised: Supervised, change: Partial<UnitStatus>): void {
    const next = { ...supervised.status, ...change }
    const same = Object.entries(next).every(
      ([key, value]) => supervised.status[key as keyof UnitStatus] === value,
    )
    if (same) return
    supervised.status = next
    this.#environment.onChange(this.status())
    this.#changed()
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#stopping.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#changed = resolve
        this.#stopping.signal.addEventListener('abort', () => resolve(), { once: true })
      })
    }
  }
}

function sentenceOf(exit: ProcessExit): string {
  if (exit.code === WRONG_SETTINGS)
    return 'Its settings are wrong; its log names them. It is not started again.'
  return exit.signal === null ? `It exited with status ${exit.code}.` : `It was ended by ${exit.signal}.`
}
