import { Worker } from 'node:worker_threads'
import { DialectError, engineError } from './dialect-error.ts'
import type { EngineJob, FromWorker, ToWorker } from './engine-worker.ts'

export interface EngineStatistics {
  readonly rowsRead: number
  readonly bytesRead: number
  /** Seconds. */
  readonly elapsed: number
}

/** Threads of one kind, readers or writers, and the bounded queue before them. */
export interface EnginePool {
  /**
   * Runs one statement when a thread is free.
   *
   * @param onChunk takes a piece of the result; the next one is made when it resolves. `false` ends the statement
   * @throws DialectError the engine's, or 202 when the queue is full; an AbortError when the signal came first
   */
  run(
    job: EngineJob,
    signal: AbortSignal,
    onChunk: (bytes: Buffer) => Promise<boolean>,
  ): Promise<EngineStatistics>
  close(): Promise<void>
}

/**
 * @param path     data directory, the same for all pools of a process
 * @param threads  statements at the same time
 * @param queueMax statements that wait at most; one more is refused
 * @param onCrash  a thread died: the engine's state is unknown, the process must end
 */
export function createEnginePool(
  path: string,
  threads: number,
  queueMax: number,
  onCrash: (error: Error) => void,
): EnginePool {
  const idle: Worker[] = []
  const waiting: ((worker: Worker) => void)[] = []
  const workers: Worker[] = []
  let closing = false
  for (let n = 0; n < threads; n++) {
    const worker = new Worker(new URL('./engine-worker.ts', import.meta.url), { workerData: { path } })
    worker.on('error', onCrash)
    worker.on('exit', (status) => {
      if (!closing) onCrash(new Error(`An engine thread ended with status ${status}.`))
    })
    workers.push(worker)
    idle.push(worker)
  }

  const acquire = (signal: AbortSignal): Promise<Worker> => {
    const free = idle.pop()
    if (free) return Promise.resolve(free)
    if (waiting.length >= queueMax)
      throw new DialectError(
        202,
        'TOO_MANY_SIMULTANEOUS_QUERIES',
        `Too many simultaneous queries: ${threads} run and ${queueMax} wait. Try again later.`,
      )
    return new Promise((resolve, reject) => {
      const take = (worker: Worker) => {
        signal.removeEventListener('abort', leave)
        resolve(worker)
      }
      const leave = () => {
        waiting.splice(waiting.indexOf(take), 1)
        reject(signal.reason)
      }
      waiting.push(take)
      signal.addEventListener('abort', leave, { once: true })
    })
  }
  const release = (worker: Worker) => {
    const next = waiting.shift()
    if (next) next(worker)
    else idle.push(worker)
  }

  return {
    async run(job, signal, onChunk) {
      signal.throwIfAborted()
      const worker = await acquire(signal)
      try {
        return await converse(worker, job, onChunk)
      } finally {
        release(worker)
      }
    },
    async close() {
      closing = true
      await Promise.all(workers.map((worker) => worker.terminate()))
    },
  }
}

function converse(
  worker: Worker,
  job: EngineJob,
  onChunk: (bytes: Buffer) => Promise<boolean>,
): Promise<EngineStatistics> {
  return new Promise((resolve, reject) => {
    let failure: unknown = null
    const say = (message: ToWorker) => worker.postMessage(message)
    const listen = (message: FromWorker) => {
      if ('chunk' in message) {
        const { buffer, byteOffset, byteLength } = message.chunk
        onChunk(Buffer.from(buffer, byteOffset, byteLength)).then(
          (more) => say(more ? { next: true } : { stop: true }),
          (error: unknown) => {
            failure = error
            say({ stop: true })
          },
        )
        return
      }
      worker.off('message', listen)
      if (failure) reject(failure)
      else if ('error' in message) reject(engineError(message.error))
      else resolve(message.end)
    }
    worker.on('message', listen)
    say({ run: job })
  })
}
