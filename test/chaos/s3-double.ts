import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What an object store may do to one request. */
export type S3Fault =
  /** It answers by itself and does nothing: 503 SlowDown, 500 InternalError, 409 ConditionalRequestConflict, 403 ExpiredToken. */
  | { readonly kind: 'refuse'; readonly status: number; readonly code: string }
  /** The request is carried out and its answer never comes: the connection is cut after so long. */
  | { readonly kind: 'stall'; readonly ms: number }
  /** The connection is cut after so many bytes of the body; nothing is carried out. */
  | { readonly kind: 'cut'; readonly bytes: number }
  /** One byte of the body is another. */
  | { readonly kind: 'flip' }
  /** 200 with an error for a body; nothing is carried out. */
  | { readonly kind: 'error_body'; readonly code: string }

export interface S3FaultPlan {
  readonly fault: S3Fault
  /** Share of the requests it meets, in (0, 1]. */
  readonly probability: number
  /** Methods it meets. */
  readonly methods: readonly string[]
}

export interface S3Double {
  readonly port: number
  /** How often each kind of fault (a refusal by its code) was inflicted since the start. */
  readonly inflicted: ReadonlyMap<string, number>
  setFaults(plans: readonly S3FaultPlan[]): void
  close(): Promise<void>
}

/**
 * Stands before a real S3 server. What it passes on is passed on unchanged, so that signatures and conditions are
 * judged by the real one.
 *
 * @param random in [0, 1)
 */
export async function openS3Double(
  port: number,
  targetPort: number,
  random: () => number,
): Promise<S3Double> {
  let plans: readonly S3FaultPlan[] = []
  const inflicted = new Map<string, number>()
  const server = createServer((incoming, outgoing) => {
    const plan = plans.find(
      ({ methods, probability }) => methods.includes(incoming.method ?? '') && random() < probability,
    )
    if (plan) {
      const { fault } = plan
      const name = fault.kind === 'refuse' ? fault.code : fault.kind
      inflicted.set(name, (inflicted.get(name) ?? 0) + 1)
    }
    handle(incoming, outgoing, targetPort, plan?.fault ?? null)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    inflicted,
    setFaults(next) {
      plans = next
    },
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function handle(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  targetPort: number,
  fault: S3Fault | null,
): void {
  incoming.on('error', () => {})
  outgoing.on('error', () => {})
  if (fault?.kind === 'refuse' || fault?.kind === 'error_body') {
    // The body is read first, as the real one does; a connection in mid-request would be reset.
    incoming.resume().once('end', () => {
      const status = fault.kind === 'refuse' ? fault.status : 200
      outgoing.writeHead(status, { 'content-type': 'application/xml' })
      outgoing.end(incoming.method === 'HEAD' ? undefined : errorXml(fault.code))
    })
    return
  }
  const forwarded = request({
    port: targetPort,
    host: '127.0.0.1',
    method: incoming.method,
    path: incoming.url,
    // As they came: the signature covers them.
    headers: incoming.rawHeaders,
    agent: false,
  })
  const cut = () => {
    forwarded.destroy()
    incoming.socket.resetAndDestroy()
  }
  forwarded.on('error', () => incoming.socket.destroy())
  // Of the answer, not of the socket: that one is kept for further requests.
  outgoing.once('close', () => forwarded.destroy())
  forwarded.once('response', (answer) => {
    if (fault?.kind === 'stall') {
      answer.resume()
      setTimeout(() => incoming.socket.resetAndDestroy(), fault.ms).unref()
      return
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    answer.pipe(outgoing)
    answer.on('error', () => incoming.socket.destroy())
  })
  let passed = 0
  incoming.on('data', (chunk: Buffer) => {
    if (fault?.kind === 'cut' && passed + chunk.length > fault.bytes) return cut()
    if (fault?.kind === 'flip' && passed === 0) chunk[chunk.length >>> 1]! ^= 1
    passed += chunk.length
    if (!forwarded.write(chunk)) {
      incoming.pause()
      forwarded.once('drain', () => incoming.resume())
    }
  })
  incoming.once('end', () => (fault?.kind === 'cut' ? cut() : forwarded.end()))
}

function errorXml(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>Told to.</Message></Error>`
}
