import { type Static, Type } from '@sinclair/typebox'
import type { PersonalApiKeyRow } from '../../core/metadata/metadata-tables.ts'
import type { Rights } from '../http/scopes.ts'

/** Characters of a key's end that are shown. */
const TAIL_LENGTH = 4
const HOUR_MS = 3_600_000

const TimeOrNull = Type.Union([Type.String(), Type.Null()])

/** How a key is told. Its text is in the answer that made or rolled it and nowhere else. */
export const PersonalKeyView = Type.Object({
  id: Type.String(),
  label: Type.String(),
  mask_value: Type.String({ description: 'Beginning and end of its text.' }),
  scopes: Type.Array(Type.String()),
  datasets: Type.Array(Type.String()),
  created_at: Type.String(),
  created_by: Type.String({ description: '`administrator`, or `personal_api_key:<id>`.' }),
  last_rolled_at: TimeOrNull,
  previous_value_until: Type.Union([Type.String(), Type.Null()], {
    description: 'Until when the text before the last roll still works.',
  }),
  expires_at: TimeOrNull,
  last_used_at: Type.Union([Type.String(), Type.Null()], { description: 'Rounded down to the hour.' }),
})
export type PersonalKeyView = Static<typeof PersonalKeyView>

/** In the one answer that shows the text. */
export const NewKeyView = Type.Composite([PersonalKeyView, Type.Object({ value: Type.String() })])

export function personalKeyView(row: PersonalApiKeyRow, nowMs: number): PersonalKeyView {
  const { scopes, datasets } = rightsOf(row)
  return {
    id: row.id,
    label: row.label,
    mask_value: `mr_p_…${row.tail}`,
    scopes: [...scopes],
    datasets: [...datasets],
    created_at: isoTime(row.created_at),
    created_by: row.created_by,
    last_rolled_at: isoTimeOrNull(row.rolled_at),
    previous_value_until: isoTimeOrNull(
      row.previous_until !== null && row.previous_until > nowMs ? row.previous_until : null,
    ),
    expires_at: isoTimeOrNull(row.expires_at),
    last_used_at: isoTimeOrNull(row.last_used_at),
  }
}

export function rightsOf(row: Pick<PersonalApiKeyRow, 'scopes' | 'datasets'>): Rights {
  return { scopes: JSON.parse(row.scopes), datasets: JSON.parse(row.datasets) }
}

/** The part of a key's text that may be stored beside its hash. */
export function tailOf(text: string): string {
  return text.slice(-TAIL_LENGTH)
}

/** Use is noted by the hour: often enough to find keys that nobody uses, and seldom enough to cost nothing. */
export function hourOf(ms: number): number {
  return Math.floor(ms / HOUR_MS) * HOUR_MS
}

/** Does the text with this hash open the door at this moment? */
export function isValid(row: PersonalApiKeyRow, sha256: string, nowMs: number): boolean {
  if (row.expires_at !== null && row.expires_at <= nowMs) return false
  return row.sha256 === sha256 || (row.previous_until !== null && row.previous_until > nowMs)
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

function isoTimeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms)
}
