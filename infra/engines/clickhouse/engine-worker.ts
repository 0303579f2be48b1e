import { createRequire } from 'node:module'
import { parentPort, workerData } from 'node:worker_threads'
import type { Session as ChdbSession } from 'chdb'

/** One statement for one thread. */
export interface EngineJob {
  /** Run before it on the same session: USE, SET. */
  readonly setup: readonly string[]
  readonly sql: string
  readonly format: string
  /** Send the result piece by piece, each on demand; else in one piece. */
  readonly streamed: boolean
}

export type ToWorker = { readonly run: EngineJob } | { readonly next: true } | { readonly stop: true }

export type FromWorker =
  | { readonly chunk: Uint8Array }
  | { readonly end: { readonly rowsRead: number; readonly bytesRead: number; readonly elapsed: number } }
  | { readonly error: string }

// The package is CommonJS; its ESM face pulls in parts that have nothing to do with queries.
const { Session } = createRequire(import.meta.url)('chdb') as { Session: typeof ChdbSession }
const port = parentPort
if (!port) throw new Error('This file runs as a worker thread of the front.')
const path = (workerData as { path: string }).path

/** Resolves at the main thread's next word: go on, or stop. */
function nextWord(): Promise<ToWorker> {
  return new Promise((resolve) => port?.once('message', resolve))
}

/**
 * A session of its own per statement (about 2 ms): settings, parameters and temporary tables of one request can
 * never reach another one.
 */
async function runJob(job: EngineJob): Promise<void> {
  const send = (message: FromWorker) => port?.postMessage(message)
  const session = new Session(path)
  try {
    for (const sql of job.setup) await session.queryAsync(sql)
    if (!job.streamed) {
      const result = await session.queryAsync(job.sql, { format: job.format })
      const bytes = result.bytes()
      if (bytes.length > 0) {
        send({ chunk: bytes })
        await nextWord()
      }
      return send({
        end: { rowsRead: result.rowsRead, bytesRead: result.bytesRead, elapsed: result.elapsed },
      })
    }
    const startedMs = performance.now()
    let rowsRead = 0
    let bytesRead = 0
    const stream = session.queryStream(job.sql, { format: job.format })
    for await (const chunk of stream) {
      rowsRead += chunk.numRows
      bytesRead += chunk.numBytes
      send({ chunk: chunk.raw() })
      if ('stop' in (await nextWord())) break
    }
    send({ end: { rowsRead, bytesRead, elapsed: (performance.now() - startedMs) / 1000 } })
  } catch (error) {
    send({ error: error instanceof Error ? error.message : String(error) })
  } finally {
    session.close()
  }
}

port.on('message', (message: ToWorker) => {
  if ('run' in message) void runJob(message.run)
})
