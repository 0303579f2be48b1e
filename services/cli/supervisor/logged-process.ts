import { spawn } from 'node:child_process'
import { openRotatingLog } from './rotating-log.ts'
import type { ProcessExit, RunningProcess } from './supervisor.ts'

export interface ProcessCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly logFile: string
  /** From SIGTERM to SIGKILL, ms: longer than the process gives itself to drain. */
  readonly stopTimeoutMs: number
}

const LOG_BYTES_MAX = 16 * 1024 * 1024

/**
 * Starts a process whose output goes to a bounded log. It has a process group of its own: Ctrl-C in a terminal is
 * for the supervisor, which then stops everything in order.
 *
 * @throws Error when the command cannot be started
 */
export async function startLoggedProcess(options: ProcessCommand): Promise<RunningProcess> {
  const log = openRotatingLog(options.logFile, LOG_BYTES_MAX)
  const child = spawn(options.command, [...options.args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: options.env,
    detached: true,
  })
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => log.write(bytes))
  const exited = new Promise<ProcessExit>((resolve) => {
    // 'close' and not 'exit': its last words are in the log by then.
    child.once('close', (code, signal) => {
      log.close()
      resolve({ code, signal })
    })
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', (error) =>
      reject(new Error(`${options.command} could not be started.`, { cause: error })),
    )
  })
  const endWithUs = () => child.kill('SIGTERM')
  process.once('exit', endWithUs)
  void exited.then(() => process.removeListener('exit', endWithUs))
  return {
    pid: child.pid as number,
    exited,
    stop: async () => {
      const impatient = setTimeout(() => child.kill('SIGKILL'), options.stopTimeoutMs)
      child.kill('SIGTERM')
      await exited
      clearTimeout(impatient)
    },
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}
