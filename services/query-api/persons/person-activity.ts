import { Type } from '@sinclair/typebox'
import { CHANGE_REASONS, type ChangeReason, PERSON_CHANGES } from '../../../schemas/person/v1.ts'
import { firstIdOf, personIdOf } from '../../core/event/person-id.ts'
import type { Ask } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import type { Question } from '../query/question.ts'

/** One line of history as ClickHouse has it. 64-bit integers may come as text. */
interface HistoryRecord {
  readonly person_key: string
  readonly version: number | string
  readonly valid_ms: number | string
  readonly change: string
  readonly reason: string
  readonly event_id: string
  readonly distinct_id: string
  readonly other_person_key: string
  readonly actor: string
  /** A JSON object as it was afterwards; of one person's list only. */
  readonly properties?: string
}

interface PropertyChange {
  readonly action: 'created' | 'changed' | 'deleted'
  readonly field: string
  readonly before: unknown
  readonly after: unknown
}

const Nullable = (of: ReturnType<typeof Type.String>) => Type.Union([of, Type.Null()])

export const ACTIVITY_SCHEMA = Type.Object({
  id: Type.Integer({ description: 'Number of the change within its dataset.' }),
  scope: Type.Literal('Person'),
  item_id: Nullable(Type.String({ description: 'The person; null for a refusal to an id that has none.' })),
  activity: Type.String({ enum: [...PERSON_CHANGES] }),
  reason: Type.String(),
  explanation: Type.String(),
  created_at: Type.String(),
  actor: Nullable(Type.String({ description: 'Who called; null when an event did it.' })),
  source_id: Type.String({ description: 'The event, or the command, behind it.' }),
  distinct_id: Nullable(Type.String()),
  other_person: Type.Union([Type.Object({ id: Type.String(), distinct_id: Type.String() }), Type.Null()]),
  detail: Type.Object({
    changes: Type.Union([
      Type.Array(
        Type.Object({
          action: Type.String({ enum: ['created', 'changed', 'deleted'] }),
          field: Type.String(),
          before: Type.Unknown(),
          after: Type.Unknown(),
        }),
        { description: 'Of properties.' },
      ),
      Type.Null(),
    ]),
  }),
})

export interface ActivityPage {
  readonly limit: number
  /** Only changes before this one; null for the newest. */
  readonly before: number | null
}

const COLUMNS =
  'person_key, version, toUnixTimestamp64Milli(valid_from) AS valid_ms, change, reason, event_id, distinct_id, ' +
  'other_person_key, actor'

/** Rows may be told twice: each version is one line. */
function pageSql(columns: string, conditions: readonly string[], page: ActivityPage, bindings: Bindings) {
  const all = [...conditions]
  if (page.before !== null) all.push(`version < ${bindings.bind(page.before, 'UInt64')}`)
  return (
    `SELECT ${columns} FROM person_changes WHERE ${all.join(' AND ')} ORDER BY version DESC LIMIT 1 BY version ` +
    `LIMIT ${bindings.bind(page.limit + 1, 'UInt64')}`
  )
}

/** What happened to one person, the newest first, with what each change did to its properties. */
export async function activityOf(ask: Ask, question: Question, key: string, page: ActivityPage) {
  const records = await ask<HistoryRecord>(question, (bindings) =>
    pageSql(
      `${COLUMNS}, properties`,
      [
        `dataset_id = ${bindings.bind(question.dataset.id, 'String')}`,
        `person_key = ${bindings.bind(key, 'String')}`,
      ],
      page,
      bindings,
    ),
  )
  return pageOf(question, records, page.limit)
}

/** What happened to anybody, the newest first; refusals to ids without a person are among it. */
export async function activityOfAll(ask: Ask, question: Question, change: string | null, page: ActivityPage) {
  const records = await ask<HistoryRecord>(question, (bindings) =>
    pageSql(
      COLUMNS,
      [
        `dataset_id = ${bindings.bind(question.dataset.id, 'String')}`,
        ...(change === null ? [] : [`change = ${bindings.bind(change, 'String')}`]),
      ],
      page,
      bindings,
    ),
  )
  return pageOf(question, records, page.limit)
}

function pageOf(question: Question, records: readonly HistoryRecord[], limit: number) {
  const shown = records.slice(0, limit)
  return {
    results: shown.map((record, index) => viewOf(question.dataset.id, record, records[index + 1])),
    next: records.length > limit ? Number(shown.at(-1)?.version) : null,
  }
}

function viewOf(dataset: string, record: HistoryRecord, earlier: HistoryRecord | undefined) {
  const { person_key: key, other_person_key: other, reason } = record
  return {
    id: Number(record.version),
    scope: 'Person',
    item_id: key === '' ? null : personIdOf(dataset, key),
    activity: record.change,
    reason,
    explanation: CHANGE_REASONS[reason as ChangeReason] ?? '',
    created_at: new Date(Number(record.valid_ms)).toISOString(),
    actor: record.actor === '' ? null : record.actor,
    source_id: record.event_id,
    distinct_id: record.distinct_id === '' ? null : record.distinct_id,
    other_person: other === '' ? null : { id: personIdOf(dataset, other), distinct_id: firstIdOf(other) },
    detail: {
      changes:
        record.properties === undefined
          ? null
          : changesBetween(parsed(earlier?.properties ?? '{}'), parsed(record.properties)),
    },
  }
}

function parsed(json: string): Readonly<Record<string, unknown>> {
  return JSON.parse(json) as Record<string, unknown>
}

/** What became of properties from one state to the next, by their names. */
export function changesBetween(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): PropertyChange[] {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return fields.flatMap((field): PropertyChange[] => {
    const [was, is] = [Object.hasOwn(before, field), Object.hasOwn(after, field)]
    if (was && is && JSON.stringify(before[field]) === JSON.stringify(after[field])) return []
    return [
      {
        action: was ? (is ? 'changed' : 'deleted') : 'created',
        field,
        before: was ? before[field] : null,
        after: is ? after[field] : null,
      },
    ]
  })
}
