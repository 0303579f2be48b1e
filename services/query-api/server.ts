import { type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { isDependencyError } from '../core/runtime/errors.ts'
import type { Logger } from '../core/runtime/logger.ts'
import { LATENCY_BUCKETS, type Metrics } from '../core/runtime/metrics.ts'
import { ApiError, type ApiErrorBody, notFound } from './api-error.ts'
import { authorize } from './authorize.ts'
import { apiErrorOf } from './clickhouse-failure.ts'
import { csvText } from './csv.ts'
import type { Environment } from './environment.ts'
import type { EventRow } from './event-row.ts'
import { getEvent, listEvents, type Question, traceEvent, trend, zoneOf } from './pipeline.ts'
import { type Format, type RawQuery, readEventsRequest, textParameter } from './request-parameters.ts'
import { trendCsv } from './trend-csv.ts'
import { readTrendRequest } from './trend-request.ts'

export interface ServerOptions {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Origin for links in answers; null to take it from the request. */
  readonly publicUrl: string | null
}

/** Event ids may be 200 bytes, which is 600 characters when every byte is escaped. */
const PATH_PARAMETER_LENGTH_MAX = 1_024
const BODY_BYTES_MAX = 1_024
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
  const running = metrics.gauge('millrace_query_api_questions_running', 'Questions that are being answered.')
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
    return sendError(
      reply,
      new ApiError(500, {
        type: 'server_error',
        code: 'error',
        detail: `Something went wrong here. Give request ${request.id} to whoever runs this.`,
        attr: null,
      }),
    )
  })

  /** What every question has in common: who asks, how much at once, and until when. */
  async function answered<T>(
    request: FastifyRequest,
    reply: FastifyReply,
    answer: (question: Question, query: RawQuery) => Promise<T>,
  ): Promise<T> {
    const query = request.query as RawQuery
    const { dataset: id } = request.params as { readonly dataset: string }
    const credentials = {
      authorization: request.headers.authorization,
      queryKey: textParameter(query, 'personal_api_key'),
    }
    const dataset = authorize(env.control, credentials, id, env.clock.now())
    const place = env.gate.enter(dataset.id)
    running.set(env.gate.running)
    const gone = new AbortController()
    const onClose = () => gone.abort()
    reply.raw.once('close', onClose)
    try {
      return await answer({ dataset, zone: zoneOf(dataset), signal: gone.signal }, query)
    } finally {
      reply.raw.off('close', onClose)
      place.leave()
      running.set(env.gate.running)
    }
  }

  async function events(request: FastifyRequest, reply: FastifyReply, format?: Format) {
    return answered(request, reply, async (question, query) => {
      const asked = readEventsRequest(query, question.dataset.id, question.zone, format)
      const { rows, next } = await listEvents(env, question, asked)
      const nextUrl = next === null ? null : nextAddress(request, publicUrl, next)
      if (asked.format === 'json') return { next: nextUrl, results: rows }
      if (nextUrl !== null) reply.header('link', `<${nextUrl}>; rel="next"`)
      asCsvFile(reply, `${question.dataset.id}-events.csv`)
      return csvText(CSV_HEADER, rows.map(csvRow), asked.csvMode)
    })
  }

  async function trends(request: FastifyRequest, reply: FastifyReply, format?: Format) {
    return answered(request, reply, async (question, query) => {
      const asked = readTrendRequest(query, format)
      const result = await trend(env, question, asked)
      if (asked.format === 'csv') {
        asCsvFile(reply, `${question.dataset.id}-trend.csv`)
        return trendCsv(result, asked.csvMode)
      }
      return {
        result,
        is_cached: false,
        last_refresh: new Date(env.clock.now()).toISOString(),
        timezone: question.zone,
        next: null,
      }
    })
  }

  const base = '/api/datasets/:dataset'
  app.get(`${base}/events`, (request, reply) => events(request, reply))
  app.get(`${base}/events.csv`, (request, reply) => events(request, reply, 'csv'))
  app.get(`${base}/events/:event`, (request, reply) =>
    answered(request, reply, (question) => getEvent(env, question, eventIdOf(request))),
  )
  app.get(`${base}/insights/trend`, (request, reply) => trends(request, reply))
  app.get(`${base}/insights/trend.csv`, (request, reply) => trends(request, reply, 'csv'))
  app.get(`${base}/trace/:event`, (request, reply) =>
    answered(request, reply, (question, query) =>
      traceEvent(env, question, eventIdOf(request), textParameter(query, 'distinct_id')),
    ),
  )

  const paths = [
    `${base}/events`,
    `${base}/events.csv`,
    `${base}/events/:event`,
    `${base}/insights/trend`,
    `${base}/insights/trend.csv`,
    `${base}/trace/:event`,
  ]
  for (const url of paths)
    app.route({
      method: ['POST', 'PUT', 'PATCH', 'DELETE'],
      url,
      handler: async () => {
        throw new ApiError(
          405,
          {
            type: 'invalid_request',
            code: 'method_not_allowed',
            detail: 'Only GET is answered here.',
            attr: null,
          },
          { allow: 'GET' },
        )
      },
    })
  app.setNotFoundHandler((_request, reply) => sendError(reply, notFound('Endpoint not found.')))
  return app
}

const CSV_HEADER = ['id', 'timestamp', 'event', 'distinct_id', 'properties']

function csvRow(row: EventRow): (string | null)[] {
  return [row.id, row.timestamp, row.event, row.distinct_id, JSON.stringify(row.properties)]
}

function asCsvFile(reply: FastifyReply, name: string): void {
  reply.type('text/csv; charset=utf-8').header('content-disposition', `attachment; filename="${name}"`)
}

function eventIdOf(request: FastifyRequest): string {
  return (request.params as { readonly event: string }).event
}

/** The request's own address with the cursor of the next page. A key in the address is not repeated. */
function nextAddress(request: FastifyRequest, publicUrl: string | null, cursor: string): string {
  const url = new URL(request.url, publicUrl ?? `${request.protocol}://${request.host}`)
  url.searchParams.set('cursor', cursor)
  url.searchParams.delete('personal_api_key')
  return url.href
}

function sendError(reply: FastifyReply, error: ApiError): FastifyReply {
  const body: ApiErrorBody = error.body
  return reply.code(error.status).headers(error.headers).type('application/json; charset=utf-8').send(body)
}

/** Null for what nobody foresaw. */
function knownError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error
  if (isDependencyError(error)) return apiErrorOf(error)
  // Fastify's own refusals: a body that is too long or that it cannot read.
  const status = (error as { statusCode?: unknown }).statusCode
  if (typeof status !== 'number' || status < 400 || status > 499) return null
  return new ApiError(status, {
    type: 'invalid_request',
    code: status === 413 ? 'request_too_large' : 'parse_error',
    detail: 'This request cannot be read.',
    attr: null,
  })
}
