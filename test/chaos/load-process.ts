import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { LoadOptions, LoadReport } from './load.ts'

/** The clients of a run, in a process of their own. */
export interface Load {
  readonly report: LoadReport
  /** Stops sending; resolves when the last request has its answer and the ledger is on disk. */
  end(): Promise<LoadReport>
  kill(): void
}

/** Begins to send at once. */
export function startLoad(options: LoadOptions): Load {
  const child = fork(join(import.meta.dirname, 'load.ts'), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  let report: LoadReport = {
    acked: 0,
    stored: 0,
    refused: 0,
    unknown: 0,
    repeated: 0,
    conflicts: 0,
    failedTries: 0,
    oddAnswers: [],
    sent: null,
  }
  const ended = Promise.withResolvers<LoadReport>()
  ended.promise.catch(() => undefined)
  child.on('message', (message: LoadReport) => {
    report = message
    if (message.sent !== null) ended.resolve(message)
  })
  child.once('exit', (code) => ended.reject(new Error(`The load ended with status ${code}.`)))
  child.send({ start: options })
  return {
    get report() {
      return report
    },
    end() {
      child.send({ stop: true })
      return ended.promise
    },
    kill: () => void child.kill('SIGKILL'),
  }
}
