import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Protocol } from '../../schemas/raw-event/v1.ts'
import { clientAddress } from '../core/runtime/client-address.ts'
import type { CollectorSettings } from './config.ts'
import { type BodyFormat, bodyCoding, bodyFormat } from './content.ts'
import { authorise, keyFromHeaders } from './credentials.ts'
import type { Environment } from './environment.ts'
import { type CollectAnswer, type Collected, collect } from './pipeline.ts'
import { readBody } from './read-body.ts'
import { readNative } from './read-native.ts'
import { PIXEL_GIF, readPixel } from './read-pixel.ts'
import { readSegment, SEGMENT_TYPES, type SegmentType } from './read-segment.ts'
import { RequestRefusal } from './request-refusal.ts'
import type { SentRequest } from './sent-request.ts'

export interface CollectorServer {
  readonly app: FastifyInstance
  /** From now on every answer asks its client to open a new connection, which then goes to another process. */
  startDraining(): void
  /** Ends every connection but those on which a request has arrived whole and has no answer yet. */
  cutArriving(): void
}

/** A path that takes events: how its request is read and how it answers. */
interface EventRoute {
  readonly protocol: Protocol
  readonly dryRun?: boolean
  readonly read: (body: Buffer, format: BodyFormat) => SentRequest | RequestRefusal
  readonly answer: (answer: CollectAnswer) => object
}

const CORS_HEADERS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'retry-after, ratelimit, ratelimit-policy',
} as const
const PREFLIGHT_HEADERS = {
  'access-control-allow-methods': 'GET, HEAD, POST, OPTIONS',
  'access-control-allow-headers':
    'authorization, content-encoding, content-type, idempotency-key, traceparent, x-write-key',
  // Browsers cap this at two hours to a day.
  'access-control-max-age': '86400',
} as const
const JSON_TYPE = 'application/json; charset=utf-8'

/** The paths' short names, as Segment's browser library uses them. */
const SEGMENT_SHORT_NAMES: Readonly<Record<SegmentType, string>> = {
  track: 't',
  page: 'p',
  screen: 's',
  identify: 'i',
  group: 'g',
  alias: 'a',
}

/** An importer sends as any native client does, and says where the events come from. */
function nativeOrigin(request: FastifyRequest): Protocol {
  return request.headers['x-millrace-protocol'] === 'access_log' ? 'access_log' : 'native'
}

function eventRoutes(settings: CollectorSettings): ReadonlyMap<string, EventRoute> {
  const native = {
    protocol: 'native',
    read: (body: Buffer, format: BodyFormat) => readNative(body, format, settings),
  } as const
  const segment = (type: SegmentType | null): EventRoute => ({
    protocol: 'segment',
    read: (body) => readSegment(body, type, settings),
    answer: () => ({ success: true }),
  })
  return new Map<string, EventRoute>([
    ['/v1/events', { ...native, answer: (answer) => answer }],
    ['/v1/validate', { ...native, dryRun: true, answer: (answer) => ({ dry_run: true, ...answer }) }],
    ['/v1/batch', segment(null)],
    ...SEGMENT_TYPES.flatMap((type): [string, EventRoute][] => [
      [`/v1/${type}`, segment(type)],
      [`/v1/${SEGMENT_SHORT_NAMES[type]}`, segment(type)],
    ]),
  ])
}

/** Builds the collector's HTTP server; does not listen. */
export function buildServer(settings: CollectorSettings, env: Environment): CollectorServer {
  let draining = false
  const app = Fastify({
    logger: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    keepAliveTimeout: settings.keepAliveMs,
    requestTimeout: settings.requestTimeoutMs,
    http: {
      // Node refuses what reaches its limit; ours may be reached.
      maxHeaderSize: settings.headerBytesMax + 1,
      headersTimeout: settings.headersTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      connectionsCheckingInterval: settings.timeoutCheckMs,
    },
    // The query is read where it is wanted, from its bytes.
    routerOptions: { ignoreTrailingSlash: true, querystringParser: () => ({}) },
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket, env),
    frameworkErrors: (error, _request, reply) => sendRefusal(reply, frameworkRefusal(error)),
  })

  function send(reply: FastifyReply, status: number, type: string, body: string | Buffer): FastifyReply {
    reply.code(status).headers(CORS_HEADERS).headers({
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    if (draining) reply.header('connection', 'close')
    return reply.send(body)
  }
  function sendRefusal(reply: FastifyReply, refusal: RequestRefusal): FastifyReply {
    env.metrics.refused(refusal.code)
    if (refusal.status === 503) reply.header('retry-after', String(settings.retryAfterSeconds))
    reply.headers(refusal.headers)
    if (refusal.status === 401) reply.header('www-authenticate', 'Bearer')
    return send(reply, refusal.status, JSON_TYPE, JSON.stringify(refusal))
  }

  // Bodies are read by the handler, which counts and frees their bytes.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))
  app.addHook('onRequest', (request, reply, done) => {
    if (request.raw.rawHeaders.length / 2 <= settings.headersMax) return done()
    sendRefusal(
      reply,
      new RequestRefusal('headers_too_large', `A request has at most ${settings.headersMax} headers.`),
    )
  })
  app.setErrorHandler((error, _request, reply) => {
    const refusal = frameworkRefusal(error)
    if (refusal.code === 'internal_error') env.logger.error({ err: error }, 'A request met a fault of ours.')
    return sendRefusal(reply, refusal)
  })

  const routes = eventRoutes(settings)
  for (const [path, route] of routes) {
    app.post(path, async (request, reply) => {
      const started = env.clock.monotonic()
      const outcome = await handleEvents(request, route)
      await env.failPoint('before_answer')
      env.metrics.answered((env.clock.monotonic() - started) / 1000)
      if (outcome instanceof RequestRefusal) return sendRefusal(reply, outcome)
      return send(reply, statusOf(outcome), JSON_TYPE, JSON.stringify(route.answer(outcome.answer)))
    })
  }
  app.get('/v1/pixel', async (request, reply) => {
    const started = env.clock.monotonic()
    const outcome = await handlePixel(request)
    env.metrics.answered((env.clock.monotonic() - started) / 1000)
    if (outcome instanceof RequestRefusal) return sendRefusal(reply, outcome)
    return send(reply, statusOf(outcome), 'image/gif', PIXEL_GIF)
  })
  // Asking about the image is not looking at it: nothing is counted.
  app.head('/v1/pixel', (_request, reply) => send(reply, 200, 'image/gif', ''))

  const methods = new Map<string, string>([...routes.keys()].map((path) => [path, 'POST, OPTIONS']))
  methods.set('/v1/pixel', 'GET, HEAD, OPTIONS')
  for (const path of methods.keys())
    app.options(path, (_request, reply) => {
      reply.headers(PREFLIGHT_HEADERS)
      return send(reply, 204, JSON_TYPE, '')
    })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.replace(/\?.*$/s, '').replace(/\/$/, '')
    const allowed = methods.get(path)
    if (allowed === undefined) return sendRefusal(reply, new RequestRefusal('not_found', 'No such path.'))
    reply.header('allow', allowed)
    return sendRefusal(reply, new RequestRefusal('method_not_allowed', `Allowed here: ${allowed}.`))
  })

  async function handleEvents(
    request: FastifyRequest,
    route: EventRoute,
  ): Promise<Collected | RequestRefusal> {
    const { headers } = request
    const lease = env.budget.lease()
    try {
      const headerKey = keyFromHeaders(headers)
      // A key that can be refused before the body is read costs no reading.
      const early = headerKey === undefined ? null : admit(headerKey)
      if (early instanceof RequestRefusal) return early
      if (early !== null) {
        const turnedAway = env.admission.enter(early.datasetId)
        if (turnedAway !== null) return turnedAway
        lease.belongsTo(early.datasetId)
      }
      const format = bodyFormat(headers['content-type'])
      if (format instanceof RequestRefusal) return format
      const coding = bodyCoding(headers['content-encoding'])
      if (coding instanceof RequestRefusal) return coding
      await env.failPoint('during_body')
      const { wireBytes, decodedBytes } = env.metrics
      const contentLength = Number(headers['content-length'])
      const body = await readBody(request.raw, contentLength, coding, settings, lease, wireBytes)
      if (body instanceof RequestRefusal) return body
      decodedBytes(body.length)
      const sent = route.read(body, format)
      if (sent instanceof RequestRefusal) return sent
      const admitted = early ?? admit(sent.key)
      if (admitted instanceof RequestRefusal) return admitted
      const protocol = route.protocol === 'native' ? nativeOrigin(request) : route.protocol
      const turnedAway = env.admission.charge(admitted.datasetId, sent.events.length, body.length)
      if (turnedAway !== null) {
        if (route.dryRun !== true) countTurnedAway(protocol, sent, turnedAway)
        return turnedAway
      }
      lease.belongsTo(admitted.datasetId)
      return await collect(
        {
          ...about(request),
          datasetId: admitted.datasetId,
          protocol,
          dryRun: route.dryRun ?? false,
          sent,
          lease,
        },
        settings,
        env,
      )
    } finally {
      lease.release()
    }
  }

  async function handlePixel(request: FastifyRequest): Promise<Collected | RequestRefusal> {
    const lease = env.budget.lease()
    try {
      const mark = request.url.indexOf('?')
      const sent = readPixel(mark < 0 ? '' : request.url.slice(mark + 1), settings)
      const admitted = admit(keyFromHeaders(request.headers) ?? sent.key)
      if (admitted instanceof RequestRefusal) return admitted
      const turnedAway = env.admission.charge(admitted.datasetId, sent.events.length, request.url.length)
      if (turnedAway !== null) {
        countTurnedAway('pixel', sent, turnedAway)
        return turnedAway
      }
      lease.belongsTo(admitted.datasetId)
      return await collect(
        { ...about(request), datasetId: admitted.datasetId, protocol: 'pixel', dryRun: false, sent, lease },
        settings,
        env,
      )
    } finally {
      lease.release()
    }
  }

  function admit(key: string | undefined): { readonly datasetId: string } | RequestRefusal {
    // Keys that may have been revoked meanwhile let nobody in.
    if (env.control.problem() !== null)
      return new RequestRefusal('not_taken', 'The keys cannot be checked at the moment; nothing was taken.')
    return authorise(key, env.control.snapshot, env.clock.now())
  }

  function countTurnedAway(protocol: Protocol, { events }: SentRequest, { code }: RequestRefusal): void {
    env.metrics.failed(protocol, events.length, code === 'quota_exceeded' ? 'over_quota' : 'not_taken')
  }

  function about({ headers, raw }: FastifyRequest) {
    const { 'idempotency-key': idempotencyKey, 'x-forwarded-for': forwarded } = headers
    return {
      ip: clientAddress(
        raw.socket.remoteAddress,
        Array.isArray(forwarded) ? forwarded.join() : forwarded,
        settings.trustedProxies,
      ),
      userAgent: headers['user-agent'] ?? null,
      idempotencyKey: Array.isArray(idempotencyKey) ? idempotencyKey.join() : idempotencyKey,
      traceparent: env.traceparentOf(headers.traceparent),
    }
  }

  const sockets = new Set<Socket>()
  app.server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })

  return {
    app,
    startDraining() {
      draining = true
    },
    cutArriving() {
      for (const socket of sockets) if (answerUnderWay(socket)?.req.complete !== true) socket.destroy()
    },
  }
}

/** Of the request that the connection is busy with. */
function answerUnderWay(socket: Socket): ServerResponse | null {
  return (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? null
}

/** 202 tells that Kafka does not have it yet: it is safe on this machine's disk, and no safer. */
function statusOf({ keptIn }: Collected): number {
  return keptIn === 'store' ? 202 : 200
}

/** Faults that Fastify itself finds, before any handler. */
function frameworkRefusal(error: unknown): RequestRefusal {
  const status = (error as { statusCode?: number }).statusCode ?? 500
  if (status === 415)
    return new RequestRefusal(
      'unsupported_media_type',
      'Send application/json or application/x-ndjson.',
      'content-type',
    )
  if (status >= 400 && status < 500)
    return new RequestRefusal('malformed_request', 'The request is not well-formed HTTP.')
  return new RequestRefusal(
    'internal_error',
    'A fault of ours; each event is stored once or not at all. Send again with the same ids.',
  )
}

const BROKEN_REQUESTS: Readonly<Record<string, readonly [RequestRefusal, string]>> = {
  HPE_HEADER_OVERFLOW: [
    new RequestRefusal('headers_too_large', 'Request line and headers are too large.'),
    'Request Header Fields Too Large',
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [
    new RequestRefusal('request_timeout', 'The request did not arrive in time.'),
    'Request Timeout',
  ],
}
const MALFORMED = [
  new RequestRefusal('malformed_request', 'The request is not well-formed HTTP.'),
  'Bad Request',
] as const

/** The connection ended in the middle of a request: nobody is left to answer, and the handler counts it. */
const GONE: readonly unknown[] = ['ECONNRESET', 'HPE_INVALID_EOF_STATE']

/** Answers what never became a request, and ends the connection: where the next one would begin is not known. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket, env: Environment): void {
  const [refusal, reason] = BROKEN_REQUESTS[error.code ?? ''] ?? MALFORMED
  if (!GONE.includes(error.code)) env.metrics.refused(refusal.code)
  const answering = answerUnderWay(socket)
  // A whole request stands before the broken one. Its answer must come first: its events may be stored already, and
  // a refusal in its place would deny them.
  if (answering?.req.complete && socket.writable) {
    answering.once('close', () => socket.destroy())
    return
  }
  if (GONE.includes(error.code) || !socket.writable || answering?.headersSent) {
    socket.destroy()
    return
  }
  const body = JSON.stringify(refusal)
  socket.end(
    `HTTP/1.1 ${refusal.status} ${reason}\r\nconnection: close\r\ncontent-type: ${JSON_TYPE}\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}
