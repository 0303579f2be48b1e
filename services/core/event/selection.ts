import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import type { Field } from '../../../schemas/field.ts'
import { REJECTED_EVENT_FIELDS } from '../../../schemas/rejected-event/v1.ts'
import { type FilterRecord, filterPredicate } from './filter-evaluator.ts'
import { parseFilter } from './filter-parser.ts'

/** What a subscription or delivery asks for; both can be handed over as they are. */
export interface SelectionSource {
  readonly datasets: readonly string[]
  /** All names when left out. */
  readonly events?: readonly string[] | undefined
  /** Names that are left out all the same. */
  readonly exclude_events?: readonly string[] | undefined
  /** A filter (docs/filters.md); no condition when left out. */
  readonly where?: string | undefined
  /** The stream, and with it the columns that `where` may name. Default: enriched. */
  readonly source?: 'enriched' | 'rejected' | undefined
}

export interface Selection {
  /** False when the headers alone decide: then no value needs to be parsed. */
  readonly needsBody: boolean
  /**
   * Whether dataset and event name are asked for; necessary always, sufficient without `needsBody`.
   *
   * @param event null for a rejected event whose name could not be read; only selections without `events` match it
   */
  matchesHeaders(datasetId: string | null, event: string | null): boolean
  /** Whether the whole event is asked for: dataset, name and condition. */
  matches(event: FilterRecord): boolean
}

export function selectionFields(source: SelectionSource['source']): readonly Field[] {
  return source === 'rejected' ? REJECTED_EVENT_FIELDS : ENRICHED_EVENT_FIELDS
}

/** @throws FilterError when `where` has a fault */
export function compileSelection(asked: SelectionSource): Selection {
  const datasets = new Set(asked.datasets)
  const events = asked.events === undefined ? null : new Set(asked.events)
  const excluded = new Set(asked.exclude_events)
  const condition =
    asked.where === undefined
      ? null
      : filterPredicate(parseFilter(asked.where, selectionFields(asked.source)))
  const matchesHeaders = (datasetId: string | null, event: string | null) =>
    datasetId !== null &&
    datasets.has(datasetId) &&
    (events === null || (event !== null && events.has(event))) &&
    (event === null || !excluded.has(event))
  return {
    needsBody: condition !== null,
    matchesHeaders,
    matches: (event) =>
      matchesHeaders(textOrNull(event.dataset_id), textOrNull(event.event)) &&
      (condition === null || condition(event)),
  }
}

const textOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null)
