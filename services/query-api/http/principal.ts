import { ALL_DATASETS, type Rights, SCOPE_OBJECTS, type Scope } from './scopes.ts'

/** Who asks. Known by a key; there are no other ways in. */
export interface Principal {
  /** What is written down as the maker of an object, and counted by limits: `personal_api_key:<id>`. */
  readonly name: string
  readonly rights: Rights
  /** What a key that this one makes may have at most. */
  readonly grants: Rights
}

export const ADMINISTRATOR = 'administrator'

/**
 * The key that comes before all others. It makes keys of any rights and reads no data itself, so that it can stay in a
 * safe once there is a personal key.
 */
export const administrator: Principal = {
  name: ADMINISTRATOR,
  rights: { scopes: ['personal_api_key:write'], datasets: [ALL_DATASETS] },
  grants: { scopes: ['*'], datasets: [ALL_DATASETS] },
}

/** What read keys of `millrace.control` open: everything of their dataset but the list of who else has keys. */
const READ_KEY_SCOPES: readonly Scope[] = SCOPE_OBJECTS.filter((object) => object !== 'personal_api_key').map(
  (object) => `${object}:read` as const,
)

/** The holder of a read key of `millrace.control`. */
export function readKeyHolder(id: string, dataset: string): Principal {
  const rights = { scopes: READ_KEY_SCOPES, datasets: [dataset] }
  return { name: `read_key:${id}`, rights, grants: rights }
}

export function personalKeyHolder(id: string, rights: Rights): Principal {
  return { name: `personal_api_key:${id}`, rights, grants: rights }
}
