import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'

/** An engine that runs as a child process of ours, and how to reach it. */
export interface Engine {
  readonly pid: number
  /** Ends it the way an operator would, and waits until it is gone. */
  stop(): Promise<void>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
}

export interface EngineCommand {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Directory for `<name>.log` and `<name>.pid`; made when missing. The pid file is the lock: one engine per directory. */
  readonly stateDir: string
  /** Resolves to true once the engine answers. Asked every 100 ms. */
  readonly ready: () => Promise<boolean>
  readonly readyTimeoutMs: number
}

/** @throws Error with the last lines of the log when the engine does not come up in time */
export async function startEngine(options: EngineCommand): Promise<Engine> {
  mkdirSync(options.stateDir, { recursive: true })
  const pidFile = join(options.stateDir, `${options.name}.pid`)
  const logFile = join(options.stateDir, `${options.name}.log`)
  if (existsSync(pidFile) && isAlive(Number(readFileSync(pidFile, 'utf8')))) {
    throw new Error(
      `${options.name} already runs on ${options.stateDir} (pid ${readFileSync(pidFile, 'utf8')}). Stop it first: make down.`,
    )
  }
  const log = openSync(logFile, 'a')
  const child = spawn(options.command, [...options.args], {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.env },
  })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      rmSync(pidFile, { force: true })
      resolve()
    })
    child.once('error', () => resolve())
  })
  if (child.pid === undefined) throw new Error(`${options.command} could not be started. Is it installed?`)
  writeFileSync(pidFile, String(child.pid))
  const deadline = Date.now() + options.readyTimeoutMs
  while (!(await options.ready())) {
    if (hasExited(child) || Date.now() > deadline) {
      child.kill('SIGKILL')
      const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
      throw new Error(`${options.name} did not come up. The end of ${logFile}:\n${tail}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const end = async (signal: NodeJS.Signals) => {
    if (!hasExited(child)) child.kill(signal)
    await exited
  }
  return {
    pid: child.pid,
    stop: async () => {
      const impatient = setTimeout(() => child.kill('SIGKILL'), 20_000)
      await end('SIGTERM')
      clearTimeout(impatient)
    },
    kill: () => end('SIGKILL'),
  }
}

function hasExited(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Whether something accepts connections there. */
export function portOpen(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host })
    const done = (open: boolean) => {
      socket.destroy()
      resolve(open)
    }
    socket.once('connect', () => done(true))
    socket.once('error', () => done(false))
  })
}

/**
 * A free port from 20000 to 31999: below the ephemeral range, where an outgoing connection could take it between
 * this check and the engine's own listen.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const free = await new Promise<boolean>((resolve) => {
      const server = createServer()
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
    })
    if (free) return port
  }
}
