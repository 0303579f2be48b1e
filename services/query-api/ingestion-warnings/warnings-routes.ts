import { Type } from '@sinclair/typebox'
import type { Clock } from '../../core/runtime/clock.ts'
import { MASK_PARAMETER } from '../events/events-request.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetRoute } from '../http/route.ts'
import { flagParameter } from '../insights/insight-request.ts'
import type { Ask } from '../query/ask.ts'
import { listWarnings, WARNINGS_SHOWN_MAX } from './list-warnings.ts'

const PARAMETERS = { maskPii: MASK_PARAMETER }

const TextOrNull = Type.Union([Type.String(), Type.Null()])
const Details = Type.Object({
  event_id: Type.String(),
  event: Type.Optional(TextOrNull),
  distinct_id: TextOrNull,
  other_distinct_id: Type.Optional(
    Type.Union([Type.String(), Type.Null()], { description: 'The one that was to be merged.' }),
  ),
  client_time: Type.Optional(
    Type.Union([Type.String(), Type.Null()], { description: 'The time as it was sent.' }),
  ),
  stage: Type.Optional(Type.String({ description: 'The stage that refused the event.' })),
  reasons: Type.Array(Type.String(), { description: 'What is wrong, a sentence each.' }),
})
const Warnings = Type.Object({
  results: Type.Array(
    Type.Object({
      type: Type.String(),
      lastSeen: Type.String(),
      warnings: Type.Array(Type.Object({ timestamp: Type.String(), details: Details }), {
        maxItems: WARNINGS_SHOWN_MAX,
        description: 'The newest ones, the newest first.',
      }),
      count: Type.Integer({ description: 'All of the last 30 days.' }),
    }),
  ),
})

const EXAMPLE = {
  results: [
    {
      type: 'event_timestamp_in_future',
      lastSeen: '2026-11-21T14:00:00.000Z',
      warnings: [
        {
          timestamp: '2026-11-21T14:00:00.000Z',
          details: {
            event_id: 'e-12',
            event: 'purchase',
            distinct_id: 'user-2',
            client_time: '2036-11-21T14:00:00Z',
            reasons: ['Its time was more than 23 hours ahead, so it counts from when it was received.'],
          },
        },
      ],
      count: 1,
    },
  ],
}

/** What was wrong with events on their way in. */
export function warningRoutes(needs: {
  readonly ask: Ask
  readonly clock: Pick<Clock, 'now'>
}): DatasetRoute[] {
  return [
    {
      about: 'dataset',
      method: 'GET',
      path: `${DATASET_PATH}/ingestion_warnings`,
      tag: 'ingestion_warnings',
      summary: 'What was wrong with events of the last 30 days: times, merges and whatever was refused.',
      access: { object: 'ingestion_warning', action: 'read' },
      limit: 'clickhouse',
      parameters: PARAMETERS,
      success: { status: 200, description: 'By type, the one that was seen last first.', schema: Warnings },
      example: { params: { dataset: 'shop' }, answer: EXAMPLE },
      async answer({ question, query }) {
        refuseUnknown(query, Object.keys(PARAMETERS))
        const isMasked = flagParameter(query, 'maskPii')
        return { body: { results: await listWarnings(needs.ask, question, needs.clock.now(), isMasked) } }
      },
    },
  ]
}
