import type { ControlView } from '../../core/control/control-view.ts'
import { createDashboardStore } from '../dashboards/dashboard-store.ts'
import { sharedDashboard } from '../dashboards/shared-dashboard.ts'
import { tileResults } from '../dashboards/tile-results.ts'
import { notFound } from '../http/api-error.ts'
import type { Ask } from '../query/ask.ts'
import { type Question, zoneOf } from '../query/question.ts'
import { getRecording } from '../recordings/list-recordings.ts'
import { recordedView } from '../recordings/present-recordings.ts'
import type { Results } from '../results/results.ts'
import { createSavedInsightStore } from '../saved-insights/saved-insight-store.ts'
import { isOfRows, questionOf } from '../saved-insights/saved-question.ts'
import { savedResult } from '../saved-insights/saved-result.ts'
import { sharedInsight } from '../saved-insights/shared-insight.ts'
import {
  createShareStore,
  DASHBOARD_SHARES,
  INSIGHT_SHARES,
  RECORDING_SHARES,
  type ShareKind,
  TOKEN_PATTERN,
} from './share-store.ts'
import type { SharingNeeds } from './sharing-routes.ts'

export interface LinkNeeds extends SharingNeeds {
  readonly ask: Ask
  readonly results: Results
  readonly control: Pick<ControlView, 'snapshot'>
}

/** What strangers see. */
export type SharedView =
  | { readonly kind: 'dashboard'; readonly body: ReturnType<typeof sharedDashboard> }
  | {
      readonly kind: 'insight'
      readonly body: ReturnType<typeof sharedInsight> & { readonly timezone: string }
    }
  | {
      readonly kind: 'recording'
      readonly body: ReturnType<typeof recordedView> & { readonly snapshots_url: string }
    }

/** What a link leads to. */
export interface Opened {
  readonly question: Question
  /** Id of the session where it is a recording, else null. */
  readonly session: string | null
  /** @param address of what else belongs to it. @throws ApiError 404 when it is not there any more */
  view(address: string): Promise<SharedView>
}

const FRESH_ENOUGH = { refresh: 'blocking', clientQueryId: null } as const

/** Finds what links lead to. */
export function createLinks({ metadata, randomBytes, ask, results, control, clock }: LinkNeeds) {
  /** It only reads: nothing is ever written in this name. */
  const readerIn = ({ zone }: Question) => ({ by: 'shared', atMs: clock.now(), zone, newShortId: () => '' })

  async function dashboard(question: Question, id: number): Promise<SharedView> {
    const row = await createDashboardStore(metadata, readerIn(question)).get(question.dataset.id, id)
    if (row === null || row.deleted === 1) throw notFound()
    const filters = JSON.parse(row.filters)
    // Rows are what their maker chose, and may be people: nobody asks for them on behalf of strangers.
    const told = (row.tiles ?? []).filter((tile) => tile.insight === null || !isOfRows(tile.insight))
    const tiles = await tileResults(results, question, told, filters, FRESH_ENOUGH, null)
    return { kind: 'dashboard', body: sharedDashboard(row, question.zone, tiles) }
  }

  async function insight(question: Question, id: number): Promise<SharedView> {
    const row = await createSavedInsightStore(metadata, readerIn(question)).get(question.dataset.id, id)
    if (row === null || row.deleted === 1) throw notFound()
    const answer = isOfRows(row)
      ? null
      : await savedResult(results, question, questionOf(row), FRESH_ENOUGH, null)
    return { kind: 'insight', body: { ...sharedInsight(row, answer), timezone: question.zone } }
  }

  async function recording(question: Question, session: string, address: string): Promise<SharedView> {
    const facts = recordedView(await getRecording({ ask }, question, session))
    return { kind: 'recording', body: { ...facts, snapshots_url: address } }
  }

  function opener<Id extends number | string>(
    kind: ShareKind<Id>,
    view: (question: Question, id: Id, address: string) => Promise<SharedView>,
  ) {
    const shares = createShareStore(metadata, kind, randomBytes)
    return async (token: string, signal: AbortSignal): Promise<Opened | null> => {
      const share = await shares.byToken(token)
      const dataset = share === null ? undefined : control.snapshot.datasets.get(share.dataset_id)?.object
      if (share === null || dataset === undefined) return null
      const { shared_id: id } = share
      const question = { dataset, zone: zoneOf(dataset), signal }
      const session = typeof id === 'string' ? id : null
      return { question, session, view: (address) => view(question, id, address) }
    }
  }

  const openers = [
    opener(DASHBOARD_SHARES, dashboard),
    opener(INSIGHT_SHARES, insight),
    opener(RECORDING_SHARES, recording),
  ]
  return {
    /** @throws ApiError 404 for a token that leads nowhere, whatever it is */
    async open(token: string, signal: AbortSignal): Promise<Opened> {
      if (TOKEN_PATTERN.test(token))
        for (const open of openers) {
          const opened = await open(token, signal)
          if (opened !== null) return opened
        }
      throw notFound()
    },
  }
}
