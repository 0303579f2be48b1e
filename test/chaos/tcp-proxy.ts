import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What is wrong with every connection through a proxy while it is set; the eight of Toxiproxy, by the same names. */
export type Toxic =
  /** Nothing gets through and nobody is let in. */
  | { readonly kind: 'down' }
  | { readonly kind: 'latency'; readonly ms: number; readonly jitterMs: number }
  | { readonly kind: 'bandwidth'; readonly bytesPerSecond: number }
  /** An end of stream is passed on so much later. */
  | { readonly kind: 'slow_close'; readonly ms: number }
  /** Bytes vanish; the connection is closed after so long, never when 0. */
  | { readonly kind: 'timeout'; readonly ms: number }
  /** RST to both sides once so many bytes went in one direction. */
  | { readonly kind: 'reset_peer'; readonly bytes: number }
  /** Small pieces with a pause after each. */
  | { readonly kind: 'slicer'; readonly bytes: number; readonly ms: number }
  /** The connection is closed once so many bytes went in one direction, in the middle of a piece if need be. */
  | { readonly kind: 'limit_data'; readonly bytes: number }

export interface TcpProxy {
  readonly port: number
  /** Connections open now. */
  readonly connections: number
  /** Connections that a toxic ended, since the start. */
  readonly ended: number
  /** From now on, also for connections that are open. Byte counts begin anew. */
  setToxics(toxics: readonly Toxic[], direction?: Direction): void
  close(): Promise<void>
}

/** `up` is from the client to the server. */
export type Direction = 'up' | 'down' | 'both'

/** What one direction may hold back before it stops reading. */
const HELD_BYTES_MAX = 1024 * 1024

interface Set {
  readonly toxics: readonly Toxic[]
  readonly direction: Direction
  /** Aborts when other toxics are set. */
  readonly over: AbortController
}

/** Listens on `port` of 127.0.0.1 (0: any) and passes every connection on to `targetPort`. */
export async function openTcpProxy(port: number, targetPort: number): Promise<TcpProxy> {
  let set: Set = { toxics: [], direction: 'both', over: new AbortController() }
  const open = new Map<Socket, () => void>()
  let ended = 0

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (set.toxics.some(({ kind }) => kind === 'down')) {
      ended++
      client.resetAndDestroy()
      return
    }
    const upstream = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true })
    client.setNoDelay(true)
    upstream.setNoDelay(true)
    const destroy = () => {
      client.destroy()
      upstream.destroy()
    }
    const reset = () => {
      ended++
      client.resetAndDestroy()
      upstream.resetAndDestroy()
    }
    open.set(client, reset)
    for (const socket of [client, upstream]) socket.on('error', destroy)
    client.on('close', () => {
      open.delete(client)
      upstream.destroy()
    })
    upstream.on('close', () => {
      // What it still had to say is on its way; a broken connection is passed on as one.
      if (!upstream.readableEnded) client.destroy()
    })
    const close = () => {
      ended++
      destroy()
    }
    void pump(client, upstream, 'up', () => set, close, reset)
    void pump(upstream, client, 'down', () => set, close, reset)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return open.size
    },
    get ended() {
      return ended
    },
    setToxics(toxics, direction = 'both') {
      const before = set
      set = { toxics, direction, over: new AbortController() }
      before.over.abort()
      if (toxics.some(({ kind }) => kind === 'down')) for (const reset of [...open.values()]) reset()
    },
    async close() {
      set.over.abort()
      for (const client of open.keys()) client.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function pump(
  from: Socket,
  to: Socket,
  direction: 'up' | 'down',
  current: () => Set,
  close: () => void,
  reset: () => void,
): Promise<void> {
  let counted = { set: current(), bytes: 0 }
  let heldBytes = 0
  let tail: Promise<void> = Promise.resolve()
  const toxicOf = <K extends Toxic['kind']>(set: Set, kind: K) =>
    set.direction === 'both' || set.direction === direction
      ? (set.toxics.find((toxic) => toxic.kind === kind) as Extract<Toxic, { kind: K }> | undefined)
      : undefined
  const pause = (ms: number, set: Set) =>
    sleep(ms, undefined, { signal: set.over.signal, ref: false }).catch(() => undefined)

  const pass = async (chunk: Buffer, dueMs: number): Promise<void> => {
    const set = current()
    if (counted.set !== set) counted = { set, bytes: 0 }
    const blackhole = toxicOf(set, 'timeout')
    if (blackhole) {
      if (blackhole.ms === 0) await new Promise<void>((resolve) => onAbort(set.over.signal, resolve))
      else await pause(blackhole.ms, set)
      return close()
    }
    const waitMs = dueMs - performance.now()
    if (waitMs > 0) await pause(waitMs, set)
    const bandwidth = toxicOf(set, 'bandwidth')
    if (bandwidth) await pause((chunk.length / bandwidth.bytesPerSecond) * 1000, set)
    const end = toxicOf(set, 'limit_data') ?? toxicOf(set, 'reset_peer')
    const room = end ? Math.max(0, end.bytes - counted.bytes) : Number.POSITIVE_INFINITY
    const passed = chunk.subarray(0, Math.min(chunk.length, room))
    counted.bytes += passed.length
    const slicer = toxicOf(set, 'slicer')
    for (let at = 0; at < passed.length; ) {
      const piece = passed.subarray(at, at + (slicer?.bytes ?? passed.length))
      at += piece.length
      if (to.destroyed) return
      if (!to.write(piece)) await new Promise<void>((resolve) => onceAny(to, ['drain', 'close'], resolve))
      if (slicer) await pause(slicer.ms, set)
    }
    if (end && chunk.length >= room) {
      if (end.kind === 'limit_data') close()
      else reset()
    }
  }

  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      const latency = toxicOf(current(), 'latency')
      const delay = latency ? latency.ms + (Math.random() * 2 - 1) * latency.jitterMs : 0
      const due = performance.now() + Math.max(0, delay)
      heldBytes += chunk.length
      tail = tail
        .then(() => pass(chunk, due))
        .then(() => {
          heldBytes -= chunk.length
        })
      if (heldBytes > HELD_BYTES_MAX) await tail
    }
    await tail
    const slow = toxicOf(current(), 'slow_close')
    if (slow) await pause(slow.ms, current())
    to.end()
  } catch {
    to.destroy() // The side that was read broke off.
  }
}

function onAbort(signal: AbortSignal, done: () => void): void {
  if (signal.aborted) done()
  else signal.addEventListener('abort', done, { once: true })
}

function onceAny(socket: Socket, events: readonly string[], done: () => void): void {
  const settle = () => {
    for (const event of events) socket.off(event, settle)
    done()
  }
  for (const event of events) socket.on(event, settle)
}
