import { finished, Readable } from 'node:stream'
import type { Logger } from '../core/runtime/logger.ts'
import type { Metrics } from '../core/runtime/metrics.ts'
import { createActionStore } from './actions/action-store.ts'
import { actionRoutes } from './actions/actions-routes.ts'
import { annotationRoutes } from './annotations/annotations-routes.ts'
import { backfillRoutes } from './batch-exports/backfill-routes.ts'
import { createBatchExportKeeper } from './batch-exports/batch-export-keeper.ts'
import { createBatchExportMetrics } from './batch-exports/batch-export-metrics.ts'
import { batchExportRoutes } from './batch-exports/batch-export-routes.ts'
import { createBatchExportStore } from './batch-exports/batch-export-store.ts'
import { runRoutes } from './batch-exports/run-routes.ts'
import { createCohortStore } from './cohorts/cohort-store.ts'
import { createCohorts } from './cohorts/create-cohorts.ts'
import { dashboardRoutes } from './dashboards/dashboards-routes.ts'
import { createDefinitionStore } from './definitions/definition-store.ts'
import { eventDefinitionRoutes } from './definitions/event-definition-routes.ts'
import { propertyDefinitionRoutes } from './definitions/property-definition-routes.ts'
import type { Environment } from './environment.ts'
import { eventRoutes } from './events/events-routes.ts'
import { exportRoutes } from './exports/export-routes.ts'
import { createExportRunner } from './exports/export-runner.ts'
import { createExportSources } from './exports/export-source.ts'
import { createExportStore } from './exports/export-store.ts'
import { groupRoutes } from './groups/groups-routes.ts'
import { addressIdentity } from './http/address-identity.ts'
import { ApiError } from './http/api-error.ts'
import { createAuthenticate } from './http/authenticate.ts'
import { checkScope, datasetFor } from './http/authorize.ts'
import type { Credentials } from './http/credentials.ts'
import { withFiles } from './http/list-files.ts'
import type { Principal } from './http/principal.ts'
import { createRateLimiter, type Identity } from './http/rate-limiter.ts'
import { type RawQuery, refuseUnknown } from './http/request-parameters.ts'
import {
  type Answer,
  type DatasetRoute,
  type InstallationRoute,
  type PublicCall,
  type PublicRoute,
  pathParameter,
  type Route,
} from './http/route.ts'
import { warningRoutes } from './ingestion-warnings/warnings-routes.ts'
import { insightRoutes } from './insights/insights-routes.ts'
import { createStoredDefinitions } from './insights/stored-definitions.ts'
import { datasetRoutes } from './inventory/datasets-routes.ts'
import { projectRoutes } from './inventory/projects-routes.ts'
import { createKeyLookup } from './keys/key-lookup.ts'
import { keyRoutes } from './keys/key-routes.ts'
import { createKeyStore } from './keys/key-store.ts'
import { createKeyManagement } from './keys/manage-keys.ts'
import { queryRoutes } from './kinds/query-routes.ts'
import { kpiRoutes } from './kpis/kpis-routes.ts'
import { openApiRoutes } from './openapi/openapi-routes.ts'
import { activityRoutes } from './persons/activity-routes.ts'
import { batchRoutes } from './persons/batch-routes.ts'
import { personCommandRoutes } from './persons/command-routes.ts'
import { personRoutes } from './persons/persons-routes.ts'
import { playlistRoutes } from './playlists/playlists-routes.ts'
import { createAsk } from './query/ask.ts'
import { createAskTable } from './query/ask-table.ts'
import { zoneOf } from './query/question.ts'
import { createStreamRows } from './query/stream-rows.ts'
import { createRecordingViews } from './recordings/recording-views-store.ts'
import { recordingRoutes } from './recordings/recordings-routes.ts'
import { queryStatusRoutes } from './results/query-routes.ts'
import { createResults } from './results/results.ts'
import { savedInsightRoutes } from './saved-insights/saved-insights-routes.ts'
import { createDatasetSettingsStore } from './settings/dataset-settings-store.ts'
import { settingsRoutes } from './settings/settings-routes.ts'
import { sharedRoutes } from './sharing/shared-routes.ts'
import { SQL_ROWS } from './sql/sql-limits.ts'
import { STORED_TABLES } from './sql/views.ts'
import { traceRoutes } from './trace/trace-routes.ts'

/** A request before it is known who sent it. */
export interface Request {
  readonly credentials: Credentials
  /** Of the client; null when it has gone. */
  readonly address: string | null
  readonly query: RawQuery
  readonly params: Readonly<Record<string, string>>
  readonly body: unknown
  readonly url: URL
  /** Aborts when nobody waits for the answer any more. */
  readonly gone: AbortSignal
  /** Takes headers that belong to the answer whatever it will be. */
  announce(headers: Readonly<Record<string, string>>): void
}

export interface Pipeline {
  readonly routes: readonly Route[]
  /** Keeps the members of cohorts fresh until the signal aborts; never rejects. */
  calculateCohorts(signal: AbortSignal): Promise<void>
  /** @throws ApiError for every answer that is not the route's own */
  answer(route: Route, request: Request): Promise<Answer>
  /** What is done without being asked, until told to stop. */
  run(stopping: AbortSignal): Promise<void>
}

/** From a request to its answer: who asks, whether he may, how often, how much at once, and what the route has to say. */
export function createPipeline(env: Environment, metrics: Metrics, logger: Logger): Pipeline {
  const running = metrics.gauge('millrace_query_api_questions_running', 'Questions that are being answered.')
  const { clock, control, gate } = env
  const ask = createAsk(env.clickhouse, env.cost)
  const streamRows = createStreamRows(env.clickhouse, env.cost)
  const askTable = createAskTable(env.clickhouse, env.cost, STORED_TABLES, SQL_ROWS.max + 1)
  const actions = createActionStore(env.metadata)
  const settings = createDatasetSettingsStore(env.metadata)
  const stored = createCohortStore(env.metadata)
  const needs = { ask, clock, definitions: createStoredDefinitions({ actions, cohorts: stored, settings }) }
  const cohorts = createCohorts({
    insights: needs,
    writer: env.writer,
    metadata: env.metadata,
    control,
    clock,
    cost: { ...env.cost, executionSecondsMax: env.cohortSecondsMax },
    cohorts: stored,
    actions,
    logger,
    metrics,
  })
  const results = createResults({
    needs: { ...needs, askTable },
    limits: env.results,
    clock,
    randomBytes: env.randomBytes,
    metrics,
    logger,
  })
  const said = { ask, clock, store: createDefinitionStore(env.metadata) }
  const saved = { metadata: env.metadata, results, clock, randomBytes: env.randomBytes }
  const keyStore = createKeyStore(env.metadata)
  const keyLookup = createKeyLookup(keyStore, clock, logger)
  const keyManagement = createKeyManagement({
    store: keyStore,
    lookup: keyLookup,
    control,
    clock,
    randomBytes: env.randomBytes,
  })
  const { enabled, allowed } = env.rateLimits
  const isAllowed = (dataset: string) =>
    allowed.has(dataset) || control.snapshot.datasets.get(dataset)?.object.rate_limited === false
  const limiter = createRateLimiter(env.rateCounters, { enabled, isAllowed }, metrics, logger)
  const authenticate = createAuthenticate({
    control,
    findPersonalKey: keyLookup.find,
    adminSha256: env.adminSha256,
    clock,
  })

  async function take(route: Route, request: Request, identity: Identity): Promise<void> {
    request.announce(await limiter.take(identity, route.limit, route.path))
  }

  /**
   * Counts a request of somebody who may make it. A parameter is refused here where there is none, and by the route where
   * there are some: it knows which values of others ask for what is done anyway.
   */
  async function admit(route: Route, request: Request, identity: Identity): Promise<void> {
    await take(route, request, identity)
    if (route.parameters === undefined) refuseUnknown(request.query, [])
  }

  /** Refusals are counted too, of whoever is known so far: guessing is slow, and nobody uses up what is another's. */
  async function orCounted<T>(
    route: Route,
    request: Request,
    identity: Identity,
    attempt: () => T | Promise<T>,
  ): Promise<T> {
    try {
      return await attempt()
    } catch (error) {
      if (error instanceof ApiError && REFUSALS.has(error.status)) await take(route, request, identity)
      throw error
    }
  }

  function principalOf(route: Route, request: Request): Promise<Principal> {
    return orCounted(route, request, addressIdentity(request.address), () =>
      authenticate(request.credentials),
    )
  }

  async function answerAboutDataset(route: DatasetRoute, request: Request): Promise<Answer> {
    const principal = await principalOf(route, request)
    const dataset = await orCounted(route, request, keyIdentity(principal), () => {
      checkScope(principal, route.access)
      return datasetFor(principal, control, pathParameter(request, 'dataset'))
    })
    const counted = () => admit(route, request, { kind: 'dataset', id: dataset.id })
    const question = { dataset, zone: zoneOf(dataset), signal: request.gone }
    const call = { ...callOf(request), principal, question }
    if (route.limit === 'default') {
      await counted()
      return route.answer(call)
    }
    // What finds no place is told so before it is counted: a request that was refused uses nothing up.
    const place = gate.enter(dataset.id)
    running.set(gate.running)
    const leave = () => {
      place.leave()
      running.set(gate.running)
    }
    try {
      await counted()
      const answer = await route.answer(call)
      // An answer that is sent while it is made is under way until it has gone.
      if (answer.body instanceof Readable) finished(answer.body, leave)
      else leave()
      return answer
    } catch (error) {
      leave()
      throw error
    }
  }

  async function answerBesideDatasets(route: InstallationRoute, request: Request): Promise<Answer> {
    const principal = await principalOf(route, request)
    await orCounted(route, request, keyIdentity(principal), () => checkScope(principal, route.access))
    await admit(route, request, keyIdentity(principal))
    return route.answer({ ...callOf(request), principal })
  }

  async function answerEverybody(route: PublicRoute, request: Request): Promise<Answer> {
    await admit(route, request, addressIdentity(request.address))
    return route.answer(callOf(request))
  }

  const questions = withFiles([
    ...eventRoutes({ ...needs, askTable, streamRows }),
    ...queryRoutes({ ...needs, askTable, views: createRecordingViews(env.metadata) }, results),
    ...insightRoutes(needs, results),
    ...batchRoutes({ ask }),
    ...personRoutes(needs),
    ...savedInsightRoutes(saved),
    ...dashboardRoutes(saved),
    ...sharedRoutes({ ...saved, control, gate, ask, recordings: env.recordings }),
    ...queryStatusRoutes(results),
    ...activityRoutes(needs),
    ...groupRoutes({ ask, clock }),
    ...personCommandRoutes({
      ask,
      clock,
      commandLog: env.commandLog,
      randomBytes: env.randomBytes,
      metadata: env.metadata,
      stores: { clickhouse: env.writer },
    }),
    ...traceRoutes({
      ask,
      control,
      names: env.names,
      findInLog: env.findInLog,
      findInDelivery: env.findInDelivery,
    }),
    ...eventDefinitionRoutes(said),
    ...propertyDefinitionRoutes(said),
    ...kpiRoutes(env.metadata, clock),
    ...annotationRoutes(env.metadata, clock),
    ...actionRoutes(actions, needs),
    ...settingsRoutes(settings, clock),
    ...warningRoutes({ ask, clock }),
    ...datasetRoutes({ ask, clock, control }),
    ...projectRoutes(control),
    ...recordingRoutes({
      ...needs,
      metadata: env.metadata,
      randomBytes: env.randomBytes,
      stores: { ...env.recordings, clickhouse: env.writer },
    }),
    ...playlistRoutes({ ...needs, metadata: env.metadata, randomBytes: env.randomBytes }),
    ...cohorts.routes,
    ...keyRoutes(keyManagement),
  ])
  const exports = {
    ...env.exports,
    store: createExportStore(env.metadata),
    sources: createExportSources(questions),
    metadata: env.metadata,
    control,
    clock,
    logger,
  }
  const runner = createExportRunner(exports)
  const batchStore = createBatchExportStore(env.metadata)
  const keeper = createBatchExportKeeper({
    ...env.batchExports,
    store: batchStore,
    control,
    clock,
    logger,
    metrics: createBatchExportMetrics(metrics),
    topic: env.names.enriched,
  })
  const batchExports = {
    ...env.batchExports,
    store: batchStore,
    keeper,
    clock,
    randomBytes: env.randomBytes,
    logger,
  }
  const families = [
    ...questions,
    ...withFiles([
      ...exportRoutes(exports),
      ...batchExportRoutes(batchExports),
      ...runRoutes(batchExports),
      ...backfillRoutes(batchExports),
    ]),
  ]
  return {
    run: async (stopping) => {
      await Promise.all([runner.run(stopping), keeper.run(stopping)])
    },
    routes: [...families, ...openApiRoutes(families)],
    calculateCohorts: cohorts.job.run,
    answer(route, request) {
      if (route.about === 'dataset') return answerAboutDataset(route, request)
      return route.about === 'installation'
        ? answerBesideDatasets(route, request)
        : answerEverybody(route, request)
    },
  }
}

/** Who was refused for what he is not. */
const REFUSALS = new Set([401, 403, 404])

function callOf({ query, params, body, url, gone }: Request): PublicCall {
  return { query, params, body, url, gone }
}

function keyIdentity({ name }: Principal): Identity {
  return { kind: 'key', id: name }
}
