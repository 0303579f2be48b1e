import { Type } from '@sinclair/typebox'
import { actorRows } from '../insights/people.ts'
import type { Ask } from '../query/ask.ts'
import type { Question } from '../query/question.ts'
import type { SessionRecord } from '../query/recording-rows.ts'
import type { RecordingViews } from './recording-views-store.ts'

/** What is told of a recorded session without telling whose it is. */
export const RECORDED_VIEW = {
  recording_duration: Type.Number({ description: 'Seconds from the first to the last thing recorded.' }),
  active_seconds: Type.Integer({ description: 'Those of them within which the visitor did something.' }),
  start_time: Type.String(),
  end_time: Type.String(),
  click_count: Type.Integer(),
  keypress_count: Type.Integer(),
  console_log_count: Type.Integer(),
  console_warn_count: Type.Integer(),
  console_error_count: Type.Integer(),
  start_url: Type.Union([Type.String(), Type.Null()]),
}

/** A recorded session as the API shows it. */
export const RecordingView = Type.Object({
  id: Type.String({ description: 'Id of the session.' }),
  distinct_id: Type.Union([Type.String(), Type.Null()]),
  viewed: Type.Boolean({ description: 'Whether the holder of this key has looked at it.' }),
  ...RECORDED_VIEW,
  person: Type.Union([Type.Unknown(), Type.Null()], { description: 'As of now; null for nobody.' }),
  storage: Type.Literal('object_storage'),
})

/** Sessions with the people they are of and whether the caller has looked at them, in the same order. */
export async function presentRecordings(
  { ask, views }: { readonly ask: Ask; readonly views: RecordingViews },
  question: Question,
  viewer: string,
  records: readonly SessionRecord[],
): Promise<readonly unknown[]> {
  const keys = [...new Set(records.map((record) => record.the_person).filter((key) => key !== ''))]
  const [rows, viewed] = await Promise.all([
    actorRows(ask, question, keys, null),
    views.viewed(
      question.dataset.id,
      viewer,
      records.map(({ id }) => id),
    ),
  ])
  const people = new Map(keys.map((key, index) => [key, rows[index]]))
  return records.map((record) => ({
    id: record.id,
    distinct_id: record.distinct_id === '' ? null : record.distinct_id,
    viewed: viewed.has(record.id),
    ...recordedView(record),
    person: people.get(record.the_person) ?? null,
    storage: 'object_storage',
  }))
}

/** See {@link RECORDED_VIEW}. */
export function recordedView(record: SessionRecord) {
  const [startedMs, endedMs] = [Number(record.started_ms), Number(record.ended_ms)]
  return {
    recording_duration: (endedMs - startedMs) / 1000,
    active_seconds: Number(record.active_seconds),
    start_time: new Date(startedMs).toISOString(),
    end_time: new Date(endedMs).toISOString(),
    click_count: Number(record.click_count),
    keypress_count: Number(record.keypress_count),
    console_log_count: Number(record.console_log_count),
    console_warn_count: Number(record.console_warn_count),
    console_error_count: Number(record.console_error_count),
    start_url: record.start_url === '' ? null : record.start_url,
  }
}
