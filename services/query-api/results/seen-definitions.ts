import { createHash } from 'node:crypto'
import type { CohortDefinition, Definitions } from '../insights/definitions.ts'
import { createBindings } from '../query/bindings.ts'

/** Something saved that a computation looked up, with what it was then. */
export interface SeenDefinition {
  readonly kind: 'action' | 'cohort' | 'testAccountFilters'
  /** 0 for the filters, of which a dataset has one. */
  readonly id: number
  /** Of all that a question makes of it; another one means another result. */
  readonly version: string
}

/** The same definitions; what is looked up is noted. */
export function notingDefinitions(definitions: Definitions): {
  readonly definitions: Definitions
  readonly seen: () => SeenDefinition[]
} {
  const seen = new Map<string, SeenDefinition>()
  const noted = async <T>(kind: SeenDefinition['kind'], id: number, found: Promise<T>): Promise<T> => {
    const value = await found
    seen.set(`${kind} ${id}`, { kind, id, version: versionOf(value) })
    return value
  }
  return {
    definitions: {
      action: (dataset, id) => noted('action', id, definitions.action(dataset, id)),
      cohort: (dataset, id) => noted('cohort', id, definitions.cohort(dataset, id)),
      testAccountFilters: (dataset) =>
        noted('testAccountFilters', 0, definitions.testAccountFilters(dataset)),
    },
    seen: () => [...seen.values()],
  }
}

/** Are all of these as they were? */
export async function areUnchanged(
  definitions: Definitions,
  dataset: string,
  seen: readonly SeenDefinition[],
): Promise<boolean> {
  const same = await Promise.all(
    seen.map(
      async ({ kind, id, version }) =>
        version ===
        versionOf(
          kind === 'testAccountFilters'
            ? await definitions.testAccountFilters(dataset)
            : await definitions[kind](dataset, id),
        ),
    ),
  )
  return same.every((one) => one)
}

/** @param definition plain data, but for the members of a cohort: they are what their SQL and its values say */
function versionOf(definition: unknown): string {
  const { members } = (definition ?? {}) as Partial<CohortDefinition>
  const bindings = createBindings()
  const sql = members?.(bindings)
  return createHash('sha256')
    .update(JSON.stringify([definition, sql, bindings.parameters]))
    .digest('hex')
}
