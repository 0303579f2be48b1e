import { hash } from 'node:crypto'
import { type Dataset, ENRICHMENTS, type EnrichmentName } from '../../schemas/control/v1.ts'
import type { ControlSnapshot } from '../core/control/control-view.ts'
import type { IpPolicy } from './enrichments/ip-privacy.ts'

/**
 * Version of what the enricher computes. Goes up whenever the same raw record could come out differently: a change of
 * an enrichment, of a check, of a data file's meaning. A test holds it together with the fixtures.
 */
export const ENRICHER_VERSION = 1

/** A dataset's settings with every default written out. */
export interface EffectiveSettings {
  readonly unknown_events: 'allow' | 'flag' | 'reject'
  readonly ip: IpPolicy
  readonly enrichments: Readonly<Record<EnrichmentName, boolean>>
}

/** @param dataset undefined for one that is not configured (any more): its events get the defaults */
export function effectiveSettings(dataset: Dataset | undefined): EffectiveSettings {
  const chosen: Partial<Record<EnrichmentName, boolean>> = dataset?.enrichments ?? {}
  return {
    unknown_events: dataset?.unknown_events ?? 'allow',
    ip: dataset?.privacy?.ip ?? 'truncate',
    enrichments: Object.fromEntries(ENRICHMENTS.map((name) => [name, chosen[name] ?? true])) as Record<
      EnrichmentName,
      boolean
    >,
  }
}

/**
 * What all datasets share: 32 hex digits.
 *
 * @param references name → hash or version of everything that enrichments look things up in
 */
export function baseRecipe(references: Readonly<Record<string, string>>): string {
  return digest([ENRICHER_VERSION, Object.entries(references).sort(byName)])
}

/** Two events with equal recipe and equal raw record come out equal, byte for byte. */
export function datasetRecipe(base: string, datasetId: string, snapshot: ControlSnapshot): string {
  const settings = effectiveSettings(snapshot.datasets.get(datasetId)?.object)
  const schemas = [...(snapshot.schemas.get(datasetId) ?? [])].map(
    ([event, schema]) => [event, schema.hash] as const,
  )
  return digest([base, settings, schemas.sort(byName)])
}

function digest(parts: unknown): string {
  return hash('sha256', JSON.stringify(parts), 'hex').slice(0, 32)
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1
}
