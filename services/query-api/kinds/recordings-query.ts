import { invalidInput } from '../http/api-error.ts'
import { checkScope } from '../http/authorize.ts'
import type { DatasetCall } from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { listRecordings } from '../recordings/list-recordings.ts'
import { presentRecordings } from '../recordings/present-recordings.ts'
import type { RecordingViews } from '../recordings/recording-views-store.ts'
import { readRecordingsRequest } from '../recordings/recordings-request.ts'
import type { RefreshRequest } from '../results/refresh.ts'
import { rawQuery } from './insight-kinds.ts'
import { type Node, refuseMembers, UNUSED_MEMBERS } from './query-nodes.ts'
import type { QueryResult } from './run-query.ts'

export const RECORDINGS_KIND = 'RecordingsQuery'

const PARAMETERS = [
  'session_ids',
  'person_uuid',
  'events',
  'actions',
  'properties',
  'session_recording_duration',
  'console_logs',
  'date_from',
  'date_to',
  'limit',
  'offset',
]

/**
 * Recorded sessions, the newest first, from the parameters of their list. What is in it belongs to the caller (whether
 * he has looked at them, whether he may), so it is computed with every call and kept for nobody.
 *
 * @throws ApiError 403 without the right to read recordings, 400
 */
export async function recordingsQuery(
  needs: InsightNeeds & { readonly views: RecordingViews },
  { question, principal }: Pick<DatasetCall, 'question' | 'principal'>,
  node: Node,
  { refresh }: RefreshRequest,
): Promise<QueryResult> {
  checkScope(principal, { object: 'session_recording', action: 'read' })
  if (refresh !== 'blocking' && refresh !== 'force_blocking')
    throw invalidInput('refresh', `A ${RECORDINGS_KIND} is not kept: leave refresh out, or send blocking.`)
  refuseMembers(node, [...UNUSED_MEMBERS, ...PARAMETERS], 'query')
  const parameters = Object.fromEntries(PARAMETERS.map((name) => [name, node[name]]))
  const nowMs = needs.clock.now()
  const request = readRecordingsRequest(rawQuery(parameters), nowMs, question.zone)
  question.onRange?.(request.range)
  const { records, hasNext } = await listRecordings(needs, question, request)
  return {
    results: await presentRecordings(needs, question, principal.name, records),
    has_next: hasNext,
    hasMore: hasNext,
    ...request.page,
    is_cached: false,
    last_refresh: new Date(nowMs).toISOString(),
    timezone: question.zone,
  }
}
