import { connect, type Socket } from 'node:net'

/**
 * Sends requests when they are due, whether or not earlier ones were answered, and counts each one's time from when it
 * was due. A closed loop would send less the slower the answers are, and leave the slow ones out of its figures.
 */
export interface OpenLoopOptions {
  readonly port: number
  readonly connections: number
  readonly requestsPerSecond: number
  readonly seconds: number
  /** The n-th request as it goes over the wire. */
  readonly request: (n: number) => Buffer
  /** The group that its answer is counted in. */
  readonly groupOf: (n: number) => string
  /** Told of every answer; status 0 when there was none. */
  readonly onAnswer?: (n: number, status: number) => void
  /** How long is waited for the last answers, ms. */
  readonly lastAnswersMs?: number
}

export interface GroupResult {
  readonly sent: number
  /** By status; 0 when the connection ended without an answer, or none came. Their sum is `sent`. */
  readonly statuses: Readonly<Record<number, number>>
  /** Of answers 2xx, from when the request was due, ms; NaN, which keeps no bound, where there was none. */
  readonly p50Ms: number
  readonly p99Ms: number
}

/** A connection, made when it is first needed: servers close those that stay silent. */
interface Lane {
  socket: Socket | null
  /** Number of the request that it waits for the answer to. */
  waiting: number | null
  received: string
}

const LAST_ANSWERS_MS = 15_000
const TICK_MS = 2

export async function openLoop(options: OpenLoopOptions): Promise<ReadonlyMap<string, GroupResult>> {
  const { requestsPerSecond, seconds, request, groupOf, port } = options
  const total = Math.round(requestsPerSecond * seconds)
  const groups = new Map<string, { sent: number; statuses: Record<number, number>; times: number[] }>()
  // Numbers and no list: what grows with the time would stop the load itself for its garbage, and count as slowness.
  const startedMs = performance.now()
  const dueMs = (n: number) => startedMs + (n * 1000) / requestsPerSecond
  /** Requests that were due so far, and how many of them went out. */
  let due = 0
  let taken = 0
  let answered = 0
  const finished = Promise.withResolvers<void>()

  function settle(n: number, status: number): void {
    const group = groups.get(groupOf(n))!
    group.statuses[status] = (group.statuses[status] ?? 0) + 1
    if (status >= 200 && status < 300) group.times.push(performance.now() - dueMs(n))
    options.onAnswer?.(n, status)
    answered++
    if (answered === total) finished.resolve()
  }

  function next(lane: Lane): void {
    if (lane.waiting !== null || taken === due) return
    lane.waiting = taken++
    lane.socket ??= open(lane)
    lane.socket.write(request(lane.waiting))
  }

  function open(lane: Lane): Socket {
    lane.received = ''
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      lane.received += text
      const head = lane.received.indexOf('\r\n\r\n')
      if (head < 0) return
      const length = Number(/content-length: (\d+)/i.exec(lane.received.slice(0, head))?.[1] ?? 0)
      if (lane.received.length < head + 4 + length) return
      const status = Number(lane.received.slice(9, 12))
      lane.received = ''
      end(lane, status)
      next(lane)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      lane.socket = null
      end(lane, 0)
    })
    return socket
  }

  function end(lane: Lane, status: number): void {
    const n = lane.waiting
    lane.waiting = null
    if (n !== null) settle(n, status)
  }

  const lanes = Array.from(
    { length: options.connections },
    (): Lane => ({ socket: null, waiting: null, received: '' }),
  )
  const timer = setInterval(() => {
    const nowMs = performance.now()
    for (; due < total && dueMs(due) <= nowMs; due++) {
      const group = groupOf(due)
      const counted = groups.get(group) ?? { sent: 0, statuses: {}, times: [] }
      groups.set(group, counted)
      counted.sent++
    }
    for (const lane of lanes) {
      if (taken === due) break
      next(lane)
    }
  }, TICK_MS)
  const late = setTimeout(
    () => finished.resolve(),
    seconds * 1000 + (options.lastAnswersMs ?? LAST_ANSWERS_MS),
  )
  await finished.promise
  clearTimeout(late)
  clearInterval(timer)
  // What waits for its answer gets none any more, nor does what never got a connection.
  for (const lane of lanes) {
    end(lane, 0)
    lane.socket?.destroy()
  }
  while (taken < due) settle(taken++, 0)
  return new Map(
    [...groups].map(([name, { sent, statuses, times }]) => {
      times.sort((a, b) => a - b)
      const at = (share: number) =>
        times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN
      return [name, { sent, statuses, p50Ms: at(0.5), p99Ms: at(0.99) }]
    }),
  )
}
