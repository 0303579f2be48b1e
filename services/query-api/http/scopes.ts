/** What rights are about, as scopes name it: `annotation:read`, `dashboard:write`. Closed: a typing error is a 400. */
export const SCOPE_OBJECTS = [
  'action',
  'annotation',
  'batch_export',
  'cohort',
  'dashboard',
  'event_definition',
  'export',
  'group',
  'ingestion_warning',
  'insight',
  'kpi',
  'organization',
  'person',
  'personal_api_key',
  'project',
  'property_definition',
  'query',
  'session_recording',
  'session_recording_playlist',
  'sharing_configuration',
  'user',
  'webhook',
] as const
export type ScopeObject = (typeof SCOPE_OBJECTS)[number]

export type ScopeAction = 'read' | 'write'
export type Scope = `${ScopeObject}:${ScopeAction}` | '*'

/** Every scope by its name. `*` is all of them; `object:write` includes `object:read`. */
export const SCOPES: readonly Scope[] = [
  '*',
  ...SCOPE_OBJECTS.flatMap((object) => [`${object}:read`, `${object}:write`] as const),
]

/** All datasets, in the place of a list of them. No dataset has this name. */
export const ALL_DATASETS = '*'

/** What somebody may do, and to which datasets. */
export interface Rights {
  readonly scopes: readonly Scope[]
  /** Ids, or {@link ALL_DATASETS} alone. */
  readonly datasets: readonly string[]
}

export function allows(scopes: readonly Scope[], object: ScopeObject, action: ScopeAction): boolean {
  return (
    scopes.includes('*') ||
    scopes.includes(`${object}:write`) ||
    (action === 'read' && scopes.includes(`${object}:read`))
  )
}

export function reaches(datasets: readonly string[], dataset: string): boolean {
  return datasets.includes(ALL_DATASETS) || datasets.includes(dataset)
}

/** Does `holder` have at least every right of `asked`? */
export function covers(holder: Rights, asked: Rights): boolean {
  return (
    asked.datasets.every((dataset) => reaches(holder.datasets, dataset)) &&
    asked.scopes.every((scope) => {
      if (scope === '*') return holder.scopes.includes('*')
      const [object, action] = scope.split(':') as [ScopeObject, ScopeAction]
      return allows(holder.scopes, object, action)
    })
  )
}
