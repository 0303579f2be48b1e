import { CHANGE_REASONS, type ChangeReason, type PersonChange } from '../../../schemas/person/v1.ts'
import { firstIdOf } from '../../core/event/person-id.ts'
import type { Bindings } from '../query/bindings.ts'

/** What is said of one warning. Which members there are depends on where it comes from. */
export interface WarningDetails {
  readonly event_id: string
  readonly event?: string | null
  readonly distinct_id: string | null
  readonly other_distinct_id?: string | null
  readonly client_time?: string | null
  readonly stage?: string
  /** What is wrong, a sentence each. */
  readonly reasons: readonly string[]
}

/** A row of a source: its time and the columns that it asks for. */
export interface WarningRow {
  readonly warned: string
  readonly at_ms: string | number
  readonly event_id: string
  readonly event?: string | null
  readonly distinct_text: string | null
  readonly other_text?: string
  readonly client_text?: string | null
  readonly stage?: string
  readonly told?: readonly string[]
}

/** A table that knows of something that was wrong with events. */
export interface WarningSource {
  readonly table: 'events' | 'person_changes' | 'rejected_events'
  /** Column with the time of receipt. */
  readonly time: string
  /** Column with the reason. */
  readonly reason: string
  /** Whether a row is a warning at all; null when each is. */
  condition(bindings: Bindings): string | null
  readonly count: string
  /** What those of one millisecond are ordered by. */
  readonly place: readonly string[]
  /** Column by which a row that was told twice is known; null where none is. */
  readonly once: string | null
  readonly columns: readonly string[]
  typeOf(reason: string): string
  detailsOf(row: WarningRow): WarningDetails
}

/** Characters that are shown of what a client sent. */
const TEXT_CHARACTERS_MAX = 1_000
/** Sentences that are shown of one event. */
const REASONS_MAX = 5

const shortSql = (column: string) => `substringUTF8(ifNull(${column}, ''), 1, ${TEXT_CHARACTERS_MAX})`
const textOrNull = (text: string | null | undefined) => (text === '' || text === undefined ? null : text)

/** By column `time_flag` of `events`. */
const TIME_WARNINGS: Readonly<Record<string, { readonly type: string; readonly sentence: string }>> = {
  future: {
    type: 'event_timestamp_in_future',
    sentence: 'Its time was more than 23 hours ahead, so it counts from when it was received.',
  },
  unreadable: {
    type: 'ignored_invalid_timestamp',
    sentence: 'Its time could not be read or was before 1970, so it counts from when it was received.',
  },
}

const REFUSALS: readonly PersonChange[] = ['merge_refused', 'set_refused', 'group_refused']

export const WARNING_SOURCES: readonly WarningSource[] = [
  {
    table: 'events',
    // Of an event with a flag, that is when it was received.
    time: 'event_time',
    reason: "ifNull(time_flag, '')",
    condition: () => 'isNotNull(time_flag)',
    count: 'count()',
    place: ['src_partition', 'src_offset'],
    once: null,
    columns: [
      'event_id',
      'event',
      `${shortSql('distinct_id')} AS distinct_text`,
      `${shortSql('client_time')} AS client_text`,
    ],
    typeOf: (reason) => TIME_WARNINGS[reason]?.type ?? reason,
    detailsOf: ({ warned, event_id, event, distinct_text, client_text }) => ({
      event_id,
      event: event ?? null,
      distinct_id: textOrNull(distinct_text),
      client_time: textOrNull(client_text),
      reasons: [TIME_WARNINGS[warned]?.sentence ?? warned],
    }),
  },
  {
    table: 'person_changes',
    time: 'valid_from',
    reason: 'reason',
    condition: (bindings) => `change IN (${bindings.bind(REFUSALS, 'Array(String)')})`,
    count: 'uniqExact(version)',
    place: ['version'],
    once: 'version',
    columns: [
      'event_id',
      `${shortSql('distinct_id')} AS distinct_text`,
      `${shortSql('other_person_key')} AS other_text`,
    ],
    typeOf: (reason) => reason,
    detailsOf: ({ warned, event_id, distinct_text, other_text }) => ({
      event_id,
      distinct_id: textOrNull(distinct_text),
      other_distinct_id: textOrNull(firstIdOf(other_text ?? '')),
      reasons: [CHANGE_REASONS[warned as ChangeReason] ?? warned],
    }),
  },
  {
    table: 'rejected_events',
    time: 'collector_time',
    reason: 'code',
    condition: () => null,
    count: 'count()',
    place: ['src_partition', 'src_offset'],
    once: null,
    columns: [
      'event_id',
      'event',
      `${shortSql('distinct_id')} AS distinct_text`,
      'stage',
      `arraySlice(details, 1, ${REASONS_MAX}) AS told`,
    ],
    typeOf: (reason) => reason,
    detailsOf: ({ event_id, event, distinct_text, stage, told }) => ({
      event_id,
      event: event ?? null,
      distinct_id: textOrNull(distinct_text),
      stage: stage ?? '',
      reasons: told ?? [],
    }),
  },
]
