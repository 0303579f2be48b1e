import type { TopicPartition } from '../kafka/log.ts'
import { DependencyError } from '../runtime/errors.ts'
import type { Pinned } from '../stream/planned-plan.ts'
import type { QuerySettings } from './clickhouse.ts'

/**
 * Settings under which the same bytes become the same blocks, whatever server, core count or retry: a token stands
 * for blocks, and other blocks under an old token would double rows. `rows` is part of what a plan pins, so that a
 * replay after a change of configuration still cuts as it was planned.
 */
export function insertSettings(rows: number): QuerySettings {
  return {
    async_insert: 0,
    input_format_parallel_parsing: 0,
    max_insert_threads: 1,
    max_insert_block_size: rows,
    min_insert_block_size_rows: rows,
    min_insert_block_size_bytes: 0,
    insert_deduplicate: 1,
    // How the JSON of the topics is read (schemas/field.ts).
    date_time_input_format: 'best_effort',
    input_format_json_read_objects_as_strings: 1,
    input_format_null_as_default: 1,
    input_format_skip_unknown_fields: 1,
    input_format_allow_errors_num: 0,
  }
}

/** A change of {@link insertSettings} is a new number here; the old one stays readable as long as plans may have it. */
const VERSION = 1

/** Id of the settings for a plan. */
export function settingsId(rows: number): string {
  return `insert-${VERSION}-${rows}`
}

/** @returns rows per block, null for an id of another version */
export function rowsOfSettingsId(id: string): number | null {
  const match = new RegExp(`^insert-${VERSION}-(\\d{1,9})$`).exec(id)
  return match ? Number(match[1]) : null
}

/**
 * Rows per block under which a partition's open plan was made.
 *
 * @param config what a plan of this program is made for
 * @throws DependencyError `corrupt` for a plan of another program, or of settings that it does not know
 */
export function rowsOfPlan({ topic, partition }: TopicPartition, pinned: Pinned, config: string): number {
  const rows = rowsOfSettingsId(pinned.settings)
  if (pinned.config !== config || rows === null)
    throw new DependencyError(
      'clickhouse',
      'corrupt',
      `${topic}[${partition}] has an open plan for ${pinned.config} under ${pinned.settings}, which this program does not know. Let the version that made it finish it.`,
    )
  return rows
}
