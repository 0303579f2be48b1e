import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { identify, takeLock } from '../../services/core/runtime/process-lock.ts'
import { portFree } from './ports.ts'

export { freePort } from './ports.ts'

/** An engine that runs as a child process of ours, and how to reach it. */
export interface Engine {
  readonly pid: number
  /** Resolves when the process is gone, for whatever reason; never rejects. */
  readonly exited: Promise<EngineExit>
  /** Ends it the way an operator would, and waits until it is gone; SIGKILL when it takes longer than 20 s. */
  stop(): Promise<void>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
}

export interface EngineExit {
  readonly code: number | null
  readonly signal: string | null
}

export interface EngineCommand {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Directory for `<name>.log` and `<name>.pid`; made when missing. The pid file is the lock: one engine per directory. */
  readonly stateDir: string
  /** Ports of 127.0.0.1 it will listen on. A program that is there already would answer in the engine's place. */
  readonly ports?: readonly number[]
  /** Resolves to true once the engine answers. Asked every 100 ms. */
  readonly ready: () => Promise<boolean>
  readonly readyTimeoutMs: number
  /** What asks it to end; SIGTERM when left out. */
  readonly stopSignal?: NodeJS.Signals
}

/** Past this size an engine's log is set aside when the engine starts, and the one set aside before is dropped. */
const LOG_BYTES_MAX = 8 * 1024 * 1024
const STOP_TIMEOUT_MS = 20_000

/**
 * Starts an engine and waits until it answers. It runs in a process group of its own, so that Ctrl-C in a terminal
 * reaches whoever started it and not the engine; it ends with the process that started it, unless that one is killed
 * by SIGKILL.
 *
 * @throws Error with the last lines of the log when the engine does not come up in time; when the directory or a
 *   port is in use
 */
export async function startEngine(options: EngineCommand): Promise<Engine> {
  const { name, stateDir } = options
  mkdirSync(stateDir, { recursive: true })
  const lock = takeLock(join(stateDir, `${name}.pid`))
  if ('heldBy' in lock) {
    throw new Error(`${name} already runs on ${stateDir} (pid ${lock.heldBy.pid}). Stop it first: make down.`)
  }
  try {
    for (const port of options.ports ?? []) {
      if (!(await portFree(port))) {
        throw new Error(
          `${name} cannot listen on port ${port}: another program does. Stop that one, or use another port.`,
        )
      }
    }
    const logFile = join(stateDir, `${name}.log`)
    const child = spawnEngine(options, logFile)
    const started = child.pid === undefined ? null : identify(child.pid)
    if (started) lock.handTo(started)
    const exited = new Promise<EngineExit>((resolve) => {
      child.once('exit', (code, signal) => {
        lock.release()
        resolve({ code, signal })
      })
      child.once('error', () => resolve({ code: null, signal: null }))
    })
    if (child.pid === undefined) throw new Error(`${options.command} could not be started. Is it installed?`)
    const engine = engineOf(child, child.pid, exited, options.stopSignal ?? 'SIGTERM')
    await untilReady(options, child, engine, logFile)
    return engine
  } catch (error) {
    lock.release()
    throw error
  }
}

function spawnEngine(options: EngineCommand, logFile: string): ChildProcess {
  if (existsSync(logFile) && statSync(logFile).size > LOG_BYTES_MAX) renameSync(logFile, `${logFile}.1`)
  const log = openSync(logFile, 'a')
  const child = spawn(options.command, [...options.args], {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env },
    detached: true,
  })
  closeSync(log)
  return child
}

function engineOf(
  child: ChildProcess,
  pid: number,
  exited: Promise<EngineExit>,
  stopSignal: NodeJS.Signals,
): Engine {
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  void exited.then(() => process.removeListener('exit', endWithUs))
  const end = async (signal: NodeJS.Signals) => {
    if (!hasExited(child)) child.kill(signal)
    await exited
  }
  return {
    pid,
    exited,
    stop: async () => {
      const impatient = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
      await end(stopSignal)
      clearTimeout(impatient)
    },
    kill: () => end('SIGKILL'),
  }
}

async function untilReady(
  options: EngineCommand,
  child: ChildProcess,
  engine: Engine,
  logFile: string,
): Promise<void> {
  const deadline = performance.now() + options.readyTimeoutMs
  while (!(await options.ready()) || hasExited(child)) {
    if (hasExited(child) || performance.now() > deadline) {
      await engine.kill()
      const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
      throw new Error(`${options.name} did not come up. The end of ${logFile}:\n${tail}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}
