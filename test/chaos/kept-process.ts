import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessExit, RunningProcess } from '../../services/cli/supervisor/supervisor.ts'

/** How a process ended that the harness did not mean to end. */
export interface UnplannedExit extends ProcessExit {
  readonly name: string
  /** The fail point that was armed, if one was. */
  readonly armed: string | null
}

export interface KeptProcess {
  readonly name: string
  readonly pid: number | null
  /** Monotonic ms of the last start. */
  readonly startedMs: number
  readonly starts: number
  /** Starts it, and again whenever it ends, until it is stopped. */
  start(): Promise<void>
  /** SIGKILL; it is started again after `downMs`, with the fail point armed if one is given. */
  kill(downMs?: number, armed?: string | null): Promise<void>
  /** Once the fail point that is armed has ended it, it is started again with this one. */
  armNext(failPoint: string): void
  /** Resolves true when an armed fail point ended it, false when it did not within the time. */
  untilArmedExit(timeoutMs: number): Promise<boolean>
  /** Takes the fail point away: kills the process if it still runs with it. */
  disarm(): Promise<void>
  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void
  /** SIGTERM, and its exit; it is started again. */
  terminate(): Promise<ProcessExit>
  stop(): Promise<void>
}

const RESTART_MS = 100

/** Keeps one process running, as a supervisor would, and knows which of its ends were meant. */
export function keepProcess(
  name: string,
  launch: (failPoint: string | null) => Promise<RunningProcess>,
  onUnplanned: (exit: UnplannedExit) => void,
): KeptProcess {
  let running: RunningProcess | null = null
  let launching: Promise<void> = Promise.resolve()
  let stopped = true
  let armed: string | null = null
  let armedNext: string | null = null
  let meant = false
  let downMs = RESTART_MS
  let startedMs = 0
  let starts = 0
  let armedExit: PromiseWithResolvers<boolean> | null = null

  async function startOnce(): Promise<void> {
    const withPoint = armed
    const started = await launch(withPoint)
    running = started
    startedMs = performance.now()
    starts++
    void started.exited.then(async (exit) => {
      running = null
      if (stopped) return
      if (!meant) onUnplanned({ ...exit, name, armed: withPoint })
      if (!meant && withPoint !== null) {
        const before = armedExit
        armed = armedNext
        armedNext = null
        armedExit = armed === null ? null : Promise.withResolvers()
        before?.resolve(true)
      }
      meant = false
      const waitMs = downMs
      downMs = RESTART_MS
      await sleep(waitMs)
      if (stopped) return
      launching = startOnce()
      await launching
    })
  }

  async function end(signal: NodeJS.Signals, afterMs: number): Promise<ProcessExit | null> {
    await launching
    const target = running
    if (target === null) return null
    meant = true
    downMs = afterMs
    process.kill(target.pid, signal)
    return target.exited
  }

  return {
    name,
    get pid() {
      return running?.pid ?? null
    },
    get startedMs() {
      return startedMs
    },
    get starts() {
      return starts
    },
    async start() {
      stopped = false
      launching = startOnce()
      await launching
    },
    async kill(afterMs = RESTART_MS, point = null) {
      armed = point
      armedNext = null
      armedExit = point === null ? null : Promise.withResolvers()
      await end('SIGKILL', afterMs)
    },
    armNext(point) {
      armedNext = point
    },
    async untilArmedExit(timeoutMs) {
      const waited = new AbortController()
      const late = sleep(timeoutMs, false, { signal: waited.signal }).catch(() => false)
      const hit = await Promise.race([armedExit?.promise ?? Promise.resolve(false), late])
      waited.abort()
      return hit
    },
    async disarm() {
      if (armed === null) return
      armed = null
      armedNext = null
      armedExit = null
      await end('SIGKILL', RESTART_MS)
    },
    signal(which) {
      if (running) process.kill(running.pid, which)
    },
    async terminate() {
      return (await end('SIGTERM', RESTART_MS)) ?? { code: null, signal: null }
    },
    async stop() {
      stopped = true
      await launching
      const target = running
      if (target === null) return
      process.kill(target.pid, 'SIGCONT')
      await target.stop()
    },
  }
}
