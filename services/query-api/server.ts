import { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { type AddressSet, clientAddress } from '../core/runtime/client-address.ts'
import type { Logger } from '../core/runtime/logger.ts'
import { LATENCY_BUCKETS, type Metrics } from '../core/runtime/metrics.ts'
import type { Environment } from './environment.ts'
import { ApiError, notFound } from './http/api-error.ts'
import { knownError, methodNotAllowed, unknownError, unsupportedMediaType } from './http/error-answer.ts'
import { type RawQuery, textParameter } from './http/request-parameters.ts'
import type { Route } from './http/route.ts'
import { isUpload, readUpload, UPLOAD_TYPES, Upload } from './http/upload.ts'
import { createPipeline, type Pipeline } from './pipeline.ts'

export interface ServerOptions {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Origin for links in answers; null to take it from the request. */
  readonly publicUrl: string | null
  readonly bodyBytesMax: number
  /** Of a file, where a route takes one. */
  readonly uploadBytesMax: number
  /** Longest time that a client may leave a streamed answer unread, ms. */
  readonly streamStallMs: number
  /** Proxies whose word about the client's address is believed. */
  readonly trustedProxies: AddressSet
}

/** Event ids may be 200 bytes, which is 600 characters when every byte is escaped. */
const PATH_PARAMETER_LENGTH_MAX = 1_024
const REQUEST_TIMEOUT_MS = 30_000

/**
 * Builds the app without listening.
 *
 * @param pipeline over the same environment
 */
export function createServer(
  env: Environment,
  options: ServerOptions,
  pipeline: Pipeline = createPipeline(env, options.metrics, options.logger),
): FastifyInstance {
  const { logger, metrics, publicUrl, trustedProxies, uploadBytesMax, streamStallMs } = options
  const requests = metrics.counter('millrace_query_api_requests_total', 'Requests, by route and status.', [
    'route',
    'status',
  ])
  const latency = metrics.histogram(
    'millrace_query_api_request_seconds',
    'Time from request to answer.',
    LATENCY_BUCKETS,
    ['route'],
  )
  const streamsBroken = metrics.counter(
    'millrace_query_api_streams_broken_total',
    'Streamed answers that were broken off after they had begun.',
  )
  const app = fastify({
    logger: false,
    bodyLimit: options.bodyBytesMax,
    // A question is asked to be answered: HEAD would ask ClickHouse for rows that nobody gets.
    exposeHeadRoutes: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    routerOptions: {
      maxParamLength: PATH_PARAMETER_LENGTH_MAX,
      ignoreTrailingSlash: true,
    },
    // An id with a malformed escape is an id that does not exist.
    frameworkErrors: (_error, _request, reply) => {
      void sendError(reply, notFound('Endpoint not found.'))
    },
  })

  const stop = new AbortController()
  let background = Promise.resolve()
  app.addHook('onListen', async () => {
    background = pipeline.run(stop.signal)
  })
  app.addHook('preClose', async () => {
    stop.abort()
    await background
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store')
    const { uploads } = request.routeOptions.config as { readonly uploads?: boolean }
    if (uploads === false && isUpload(request.headers['content-type'])) throw unsupportedMediaType()
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    requests.add(1, { route, status: String(reply.statusCode) })
    latency.observe(reply.elapsedTime / 1000, { route })
  })
  app.setErrorHandler((error, request, reply) => {
    const known = knownError(error)
    if (known !== null) return sendError(reply, known)
    // Nobody is there to be told: the question was cancelled because its client went away.
    if (reply.raw.destroyed) return reply
    logger.error({ err: error, request: request.id }, 'A question failed for a reason that is not known.')
    return sendError(reply, unknownError(request.id))
  })

  // Text is read as JSON where it says that it is JSON, files where a route takes them, and nothing else is read at all.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    done(null, text === '' ? undefined : parseJson(text as string))
  })
  app.addContentTypeParser(
    [...UPLOAD_TYPES],
    { parseAs: 'buffer', bodyLimit: uploadBytesMax },
    (request: FastifyRequest, body: Buffer) => readUpload(request.headers['content-type'] ?? '', body),
  )

  async function send(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const gone = new AbortController()
    const onClose = () => gone.abort()
    reply.raw.once('close', onClose)
    let isStreamed = false
    try {
      const query = request.query as RawQuery
      const { key: bodyKey, body } = withoutKey(request.body)
      const answer = await pipeline.answer(route, {
        credentials: {
          authorization: request.headers.authorization,
          bodyKey,
          queryKey: textParameter(query, 'personal_api_key'),
        },
        address: addressOf(request, trustedProxies),
        query,
        params: request.params as Readonly<Record<string, string>>,
        body,
        url: ownAddress(request, publicUrl),
        gone: gone.signal,
        announce: (headers) => void reply.headers(headers),
      })
      if (answer.headers !== undefined) reply.headers(answer.headers)
      if (answer.body instanceof Readable) {
        isStreamed = true
        watchStream(answer.body, request, reply)
      }
      return reply.code(answer.status ?? 200).send(answer.body)
    } finally {
      // A streamed answer needs ClickHouse until it has gone.
      if (!isStreamed) reply.raw.off('close', onClose)
    }
  }

  /**
   * The status has gone out when a streamed answer fails. What is left is to break the connection off: by a reset and
   * without the chunk that ends a body, so that also a proxy which speaks HTTP/1.0 takes it for what it is.
   */
  function watchStream(body: Readable, request: FastifyRequest, reply: FastifyReply): void {
    const { raw } = reply
    const { socket } = raw
    const breakOff = () => {
      if (socket instanceof Socket) socket.resetAndDestroy()
      raw.destroy()
    }
    body.once('error', (error) => {
      // Nobody is there to be told.
      if (raw.destroyed) return
      streamsBroken.add(1)
      logger.warn({ err: error, request: request.id }, 'A streamed answer was broken off.')
      breakOff()
    })
    raw.setTimeout(streamStallMs, () => {
      // Silence while the next rows are looked for is ours.
      if (!raw.writableNeedDrain) return
      body.destroy(new Error(`The client has read nothing for ${streamStallMs} ms.`))
    })
  }

  for (const [url, routes] of Map.groupBy(pipeline.routes, ({ path }) => path)) {
    for (const route of routes)
      app.route({
        method: route.method,
        url,
        config: { uploads: route.uploads === true },
        handler: (request, reply) => send(route, request, reply),
      })
    const allowed = routes.map(({ method }) => method)
    app.route({
      method: app.supportedMethods.filter((method) => !allowed.some((one) => one === method)),
      url,
      handler: async () => {
        throw methodNotAllowed(allowed)
      },
    })
  }
  app.setNotFoundHandler((_request, reply) => sendError(reply, notFound('Endpoint not found.')))
  return app
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ApiError(400, {
      type: 'invalid_request',
      code: 'parse_error',
      detail: 'The body is not JSON.',
      attr: null,
    })
  }
}

/** A key in the body is none of its fields. */
function withoutKey(body: unknown): { readonly key: string | null; readonly body: unknown } {
  if (body instanceof Upload) {
    const { key, body: fields } = withoutKey(body.fields)
    return { key, body: new Upload(body.csv, fields as Upload['fields']) }
  }
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, 'personal_api_key'))
    return { key: null, body }
  const { personal_api_key: key, ...fields } = body as Readonly<Record<string, unknown>>
  return { key: typeof key === 'string' ? key : '', body: fields }
}

function addressOf(request: FastifyRequest, trusted: AddressSet): string | null {
  const forwarded = request.headers['x-forwarded-for']
  return clientAddress(
    request.raw.socket.remoteAddress,
    Array.isArray(forwarded) ? forwarded.join() : forwarded,
    trusted,
  )
}

function ownAddress(request: FastifyRequest, publicUrl: string | null): URL {
  const url = URL.parse(request.url, publicUrl ?? `${request.protocol}://${request.host}`)
  if (url !== null) return url
  throw new ApiError(400, {
    type: 'invalid_request',
    code: 'parse_error',
    detail: 'The Host header of this request names no host.',
    attr: null,
  })
}

function sendError(reply: FastifyReply, error: ApiError): FastifyReply {
  return reply
    .code(error.status)
    .headers(error.headers)
    .type('application/json; charset=utf-8')
    .send(error.body)
}
