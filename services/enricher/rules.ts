import { LRUCache } from 'lru-cache'
import type { EventSchema } from '../../schemas/control/v1.ts'
import type { JsonObject } from '../../schemas/field.ts'
import type { Configured, ControlSnapshot } from '../core/control/control-view.ts'
import { compileEventSchema, EventSchemaError } from '../core/event/event-schema.ts'
import { baseRecipe, datasetRecipe, type EffectiveSettings, effectiveSettings } from './recipe.ts'

/** What holds for every event of one transaction: one state of the configuration and of the reference data. */
export interface Rules {
  /** Next offset of the control topic. */
  readonly controlOffset: number
  /** What all datasets' recipes share; with the control offset it tells each of them. In receipts. */
  readonly recipe: string
  ofDataset(datasetId: string): DatasetRules
}

export interface DatasetRules extends EffectiveSettings {
  readonly recipe: string
  /** Null when no schema is registered for this event. */
  schemaOf(event: string): PropertyCheck | null
}

/** A registered schema made ready for use. */
export interface PropertyCheck {
  readonly hash: string
  /** What is wrong with an event's properties, one sentence each. */
  violations(properties: JsonObject, bytes: number): readonly string[]
}

export type SchemaCache = (schema: Configured<EventSchema>) => PropertyCheck

/**
 * Compiles each schema once. One that cannot be compiled refuses every event of its name, saying so: what cannot be
 * checked is not let through, and nothing is lost by it.
 *
 * @param entriesMax compiled schemas kept, tens of kilobytes each
 */
export function createSchemaCache(entriesMax: number): SchemaCache {
  const cache = new LRUCache<string, PropertyCheck>({ max: entriesMax })
  return (schema) => {
    const held = cache.get(schema.hash)
    if (held) return held
    const made = propertyCheck(schema)
    cache.set(schema.hash, made)
    return made
  }
}

function propertyCheck({ hash, object }: Configured<EventSchema>): PropertyCheck {
  try {
    return { hash, violations: compileEventSchema(object.json_schema).violations }
  } catch (error) {
    if (!(error instanceof EventSchemaError)) throw error
    const details = [`The schema registered for this event cannot be used: ${error.message}.`.slice(0, 500)]
    return { hash, violations: () => details }
  }
}

/** @param references as for {@link baseRecipe} */
export function rulesOf(
  snapshot: ControlSnapshot,
  references: Readonly<Record<string, string>>,
  schemas: SchemaCache,
): Rules {
  const recipe = baseRecipe(references)
  const made = new Map<string, DatasetRules>()
  const make = (datasetId: string): DatasetRules => {
    const registered = snapshot.schemas.get(datasetId)
    return {
      ...effectiveSettings(snapshot.datasets.get(datasetId)?.object),
      recipe: datasetRecipe(recipe, datasetId, snapshot),
      schemaOf(event) {
        const schema = registered?.get(event)
        return schema === undefined ? null : schemas(schema)
      },
    }
  }
  const unconfigured = make('')
  return {
    controlOffset: snapshot.offset,
    recipe,
    ofDataset(datasetId) {
      const held = made.get(datasetId)
      if (held) return held
      // Only what is configured is kept, so that no stream of names can fill the memory.
      if (!snapshot.datasets.has(datasetId) && !snapshot.schemas.has(datasetId)) return unconfigured
      const rules = make(datasetId)
      made.set(datasetId, rules)
      return rules
    },
  }
}
