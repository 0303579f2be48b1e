import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What the double says in the server's place. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** What may be done to one request. */
export type HttpFault =
  /** The double answers by itself and nothing is carried out. */
  | { readonly kind: 'answer'; readonly answer: HttpAnswer }
  /** The request is carried out, and answered as if it had not been. */
  | { readonly kind: 'lie'; readonly answer: HttpAnswer }
  /** The request is carried out and its answer never comes: the connection is cut after so long. */
  | { readonly kind: 'stall'; readonly ms: number }
  /** The request is carried out and its answer comes so much later. */
  | { readonly kind: 'late'; readonly ms: number }
  /** The connection is cut after so many bytes of the body; nothing is carried out. */
  | { readonly kind: 'cut'; readonly bytes: number }
  /** One byte of the body is another. */
  | { readonly kind: 'flip' }

export interface HttpFaultPlan {
  /** Under which it is counted. */
  readonly name: string
  readonly fault: HttpFault
  /** Share of the requests it meets, in (0, 1]. */
  readonly probability: number
  /** Requests that it may meet. */
  readonly meets: (request: IncomingMessage) => boolean
}

export interface HttpDouble {
  readonly port: number
  /** How often each plan was carried out since the start, by its name. */
  readonly inflicted: ReadonlyMap<string, number>
  setFaults(plans: readonly HttpFaultPlan[]): void
  close(): Promise<void>
}

/**
 * Stands before a real HTTP server. What it passes on is passed on unchanged, so that signatures, conditions and tokens
 * are judged by the real one.
 *
 * @param random in [0, 1)
 */
export async function openHttpDouble(
  port: number,
  targetPort: number,
  random: () => number,
): Promise<HttpDouble> {
  let plans: readonly HttpFaultPlan[] = []
  const inflicted = new Map<string, number>()
  const server = createServer((incoming, outgoing) => {
    const plan = plans.find(({ meets, probability }) => meets(incoming) && random() < probability)
    if (plan) inflicted.set(plan.name, (inflicted.get(plan.name) ?? 0) + 1)
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
  fault: HttpFault | null,
): void {
  incoming.on('error', () => {})
  outgoing.on('error', () => {})
  if (fault?.kind === 'answer') {
    // The body is read first, as the real one does; a connection in mid-request would be reset.
    incoming.resume().once('end', () => say(incoming, outgoing, fault.answer))
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
    const pass = () => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
      answer.pipe(outgoing)
      answer.on('error', () => incoming.socket.destroy())
    }
    if (fault?.kind === 'stall') {
      answer.resume()
      setTimeout(() => incoming.socket.resetAndDestroy(), fault.ms).unref()
    } else if (fault?.kind === 'late') setTimeout(pass, fault.ms).unref()
    else if (fault?.kind === 'lie') answer.resume().once('end', () => say(incoming, outgoing, fault.answer))
    else pass()
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

function say({ method }: IncomingMessage, outgoing: ServerResponse, answer: HttpAnswer): void {
  outgoing.writeHead(answer.status, answer.headers)
  outgoing.end(method === 'HEAD' ? undefined : answer.body)
}
