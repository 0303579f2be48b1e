import { Type } from '@sinclair/typebox'
import { SharedDashboard } from '../dashboards/shared-dashboard.ts'
import { notFound } from '../http/api-error.ts'
import { PAGE_HEADERS } from '../http/html.ts'
import type { QueryGate } from '../http/query-gate.ts'
import { type Answer, type PublicCall, type PublicRoute, pathParameter } from '../http/route.ts'
import { RECORDED_VIEW } from '../recordings/present-recordings.ts'
import { SNAPSHOT_EXAMPLE } from '../recordings/recording-examples.ts'
import type { SnapshotNeeds } from '../recordings/snapshots.ts'
import { answerSnapshots, SNAPSHOTS_PARAMETERS, SNAPSHOTS_SUCCESS } from '../recordings/snapshots-answer.ts'
import { SharedInsight } from '../saved-insights/shared-insight.ts'
import { createLinks, type LinkNeeds, type Opened } from './links.ts'
import { sharedPage } from './shared-page.ts'

const Shared = Type.Union([
  SharedDashboard,
  Type.Object({ ...SharedInsight.properties, timezone: Type.String() }),
  Type.Object({ ...RECORDED_VIEW, snapshots_url: Type.String() }),
])
const TOKEN = { token: '2V1cAb3dEf5gHi7jKl9mNo1pQr3skQ3x' }
/** A link stands for the right to read: neither caches nor other sites are to learn of it. */
const HEADERS = { 'referrer-policy': 'no-referrer' } as const

/**
 * One dashboard, insight or recording to whoever has its link: names, texts, results and what was recorded, and nothing
 * else of its dataset. What insights filter by is not told, for it may name people; nor is whose recording it is.
 */
export function sharedRoutes(
  needs: LinkNeeds & {
    readonly gate: QueryGate
    readonly recordings: Pick<SnapshotNeeds, 'store' | 'bucket'>
  },
): PublicRoute[] {
  const { gate, ask, recordings } = needs
  const links = createLinks(needs)

  /** Answers with what the token in the path opens, in one of its dataset's places. */
  async function answered(call: PublicCall, work: (opened: Opened) => Promise<Answer>): Promise<Answer> {
    const opened = await links.open(pathParameter(call, 'token'), call.gone)
    const place = gate.enter(opened.question.dataset.id)
    try {
      const answer = await work(opened)
      return { ...answer, headers: { ...answer.headers, ...HEADERS } }
    } finally {
      place.leave()
    }
  }

  const snapshotsOf = (call: PublicCall) =>
    `${call.url.origin}/shared/${pathParameter(call, 'token')}/snapshots`
  const common = { about: 'everybody', method: 'GET', tag: 'shared', limit: 'clickhouse' } as const
  return [
    {
      ...common,
      path: '/shared/:token.json',
      summary: 'A dashboard, an insight or a recording that is shared by a link.',
      success: { status: 200, description: 'With its results.', schema: Shared },
      example: {
        params: TOKEN,
        answer: { name: 'Sales', description: '', timezone: 'Europe/Berlin', tiles: [] },
      },
      answer: (call) => answered(call, async ({ view }) => ({ body: (await view(snapshotsOf(call))).body })),
    },
    {
      ...common,
      path: '/shared/:token',
      summary: 'The same as a page to read.',
      success: { status: 200, description: 'The page.', mediaType: 'text/html' },
      example: { params: TOKEN, answer: '<!doctype html>…' },
      answer: (call) =>
        answered(call, async ({ view }) => ({
          headers: PAGE_HEADERS,
          body: sharedPage(await view(snapshotsOf(call)), `${pathParameter(call, 'token')}.json`),
        })),
    },
    {
      ...common,
      path: '/shared/:token/snapshots',
      summary: 'What was recorded of a recording that is shared by a link, page by page or block by block.',
      parameters: SNAPSHOTS_PARAMETERS,
      success: SNAPSHOTS_SUCCESS,
      example: {
        params: TOKEN,
        answer: { next: null, snapshot_data_by_window_id: SNAPSHOT_EXAMPLE, storage: 'object_storage' },
      },
      answer: (call) =>
        answered(call, ({ question, session }) => {
          if (session === null) throw notFound()
          return answerSnapshots({ ...recordings, ask }, { ...call, question }, session)
        }),
    },
  ]
}
