import { parentPort, Worker, workerData } from 'node:worker_threads'
import { type GroupResult, type OpenLoopOptions, openLoop } from './open-loop.ts'

/** What one dataset sends, whatever it is answered; the requests in turn. */
export interface Flood
  extends Pick<OpenLoopOptions, 'port' | 'connections' | 'requestsPerSecond' | 'seconds'> {
  readonly requests: readonly Uint8Array[]
}

/**
 * Sends it from a thread of its own: whose answers are timed meanwhile must not wait for the sender of another one's.
 *
 * @returns what became of it
 */
export function flood(options: Flood): Promise<GroupResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: options })
    worker.once('message', resolve).once('error', reject)
  })
}

if (parentPort !== null) {
  const { requests, ...load } = workerData as Flood
  const buffers = requests.map((bytes) => Buffer.from(bytes))
  const groups = await openLoop({
    ...load,
    request: (n) => buffers[n % buffers.length] as Buffer,
    groupOf: () => 'all',
  })
  parentPort.postMessage(groups.get('all'))
}
