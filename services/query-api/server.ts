import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { Logger } from '../core/runtime/logger.ts'
import { LATENCY_BUCKETS, type Metrics } from '../core/runtime/metrics.ts'
import type { Environment } from './environment.ts'
import { ApiError, notFound } from './http/api-error.ts'
import { knownError, methodNotAllowed, unknownError } from './http/error-answer.ts'
import type { RawQuery } from './http/request-parameters.ts'
import type { Route } from './http/route.ts'
import { createPipeline } from './pipeline.ts'

export interface ServerOptions {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Origin for links in answers; null to take it from the request. */
  readonly publicUrl: string | null
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
const BASE = '/api/datasets/:dataset'
/** Event ids may be 200 bytes, which is 600 characters when every byte is escaped. */
const PATH_PARAMETER_LENGTH_MAX = 1_024
const BODY_BYTES_MAX = 256 * 1_024
const REQUEST_TIMEOUT_MS = 30_000

/** Builds the app without listening. */
export function createServer(env: Environment, options: ServerOptions): FastifyInstance {
  const { logger, metrics, publicUrl } = options
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
  const pipeline = createPipeline(env, metrics)
  const app = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
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

  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store')
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

  async function send(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    const gone = new AbortController()
    const onClose = () => gone.abort()
    reply.raw.once('close', onClose)
    try {
      const { headers, body } = await pipeline.answer(route, {
        authorization: request.headers.authorization,
        query: request.query as RawQuery,
        body: request.body,
        params: request.params as Readonly<Record<string, string>>,
        url: ownAddress(request, publicUrl),
        gone: gone.signal,
      })
      if (headers !== undefined) reply.headers(headers)
      return body
    } finally {
      reply.raw.off('close', onClose)
    }
  }

  const answered = Map.groupBy(pipeline.routes, ({ path }) => path)
  for (const [path, routes] of answered) {
    for (const route of routes)
      app.route({
        method: route.method,
        url: BASE + path,
        handler: (request, reply) => send(route, request, reply),
      })
    const allowed: string[] = routes.map(({ method }) => method)
    app.route({
      method: METHODS.filter((method) => !allowed.includes(method)),
      url: BASE + path,
      handler: async () => {
        throw methodNotAllowed(allowed)
      },
    })
  }
  app.setNotFoundHandler((_request, reply) => sendError(reply, notFound('Endpoint not found.')))
  return app
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
