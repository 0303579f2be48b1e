import type { Ask } from '../query/ask.ts'
import { PROPERTY_COLUMNS } from '../query/event-properties.ts'
import type { Question } from '../query/question.ts'

/** What lists of recordings show beside each of them; properties by the columns that hold them. */
const SHOWN = [
  '$browser',
  '$browser_version',
  '$os',
  '$os_version',
  '$device_type',
  '$screen_width',
  '$screen_height',
  '$geoip_country_code',
  '$geoip_city_name',
  '$referring_domain',
  '$current_url',
  '$pathname',
  '$locale',
] as const

export interface SessionProperties {
  readonly id: string
  readonly properties: Readonly<Record<string, unknown>>
}

/** Of each session, as asked: the first value that its events have. A session without events has none. */
export async function recordingProperties(
  ask: Ask,
  question: Question,
  sessions: readonly string[],
): Promise<readonly SessionProperties[]> {
  if (sessions.length === 0) return []
  const columns = SHOWN.map(
    (name, index) =>
      `argMin(${PROPERTY_COLUMNS[name]}, (event_time, src_partition, src_offset)) AS v${index}`,
  )
  const rows = await ask<Readonly<Record<string, unknown>>>(
    question,
    (bindings) =>
      `SELECT ifNull(session_id, '') AS id, ${columns.join(', ')} FROM events ` +
      `WHERE dataset_id = ${bindings.bind(question.dataset.id, 'String')} ` +
      `AND session_id IN (${bindings.bind(sessions, 'Array(String)')}) GROUP BY id`,
  )
  const found = new Map(rows.map((row) => [row.id, row]))
  return sessions.map((id) => {
    const row = found.get(id)
    const values = SHOWN.map((name, index) => [name, row?.[`v${index}`] ?? null] as const)
    return { id, properties: Object.fromEntries(values.filter(([, value]) => value !== null)) }
  })
}
