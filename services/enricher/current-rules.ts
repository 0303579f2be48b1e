import type { ControlSnapshot } from '../core/control/control-view.ts'
import type { Reference } from './enrich.ts'
import type { GeoDatabase } from './geo-database.ts'
import type { ReferenceData } from './reference-data.ts'
import { type Rules, rulesOf, type SchemaCache } from './rules.ts'

export interface Current {
  readonly rules: Rules
  readonly reference: Reference
}

/**
 * Configuration and reference data as they are now. The answer is made anew only when one of them changed, so a
 * transaction that holds one works under one state from its first record to its last.
 *
 * @param limits settings that decide what is written; part of the recipe
 */
export function currentRules(
  snapshot: () => ControlSnapshot,
  geo: () => GeoDatabase,
  data: ReferenceData,
  schemas: SchemaCache,
  limits: Readonly<Record<string, string>>,
): () => Current {
  let held: {
    readonly snapshot: ControlSnapshot
    readonly geo: GeoDatabase
    readonly current: Current
  } | null = null
  return () => {
    const [newSnapshot, newGeo] = [snapshot(), geo()]
    if (held?.snapshot === newSnapshot && held.geo === newGeo) return held.current
    const { reference, versions } = data.with(newGeo)
    const current = { rules: rulesOf(newSnapshot, { ...versions, ...limits }, schemas), reference }
    held = { snapshot: newSnapshot, geo: newGeo, current }
    return current
  }
}
