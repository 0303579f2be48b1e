import type { Dataset } from '../../../schemas/control/v1.ts'
import type { ControlView } from '../../core/control/control-view.ts'
import { ApiError, notFound } from './api-error.ts'
import type { Principal } from './principal.ts'
import { allows, reaches, type ScopeAction, type ScopeObject } from './scopes.ts'

/** What a route asks of whoever calls it. */
export interface Access {
  readonly object: ScopeObject
  readonly action: ScopeAction
}

/** @throws ApiError 403 that names the scope which is missing */
export function checkScope(principal: Principal, { object, action }: Access): void {
  if (allows(principal.rights.scopes, object, action)) return
  throw new ApiError(403, {
    type: 'authentication_error',
    code: 'permission_denied',
    detail: `This key may not do that. It needs the scope ${object}:${action}.`,
    attr: null,
  })
}

/**
 * The dataset that somebody asks about. Any other than his own is answered like one that does not exist, whether it
 * does or not.
 *
 * @throws ApiError 404
 */
export function datasetFor(
  principal: Principal,
  control: Pick<ControlView, 'snapshot'>,
  id: string,
): Dataset {
  const dataset = reaches(principal.rights.datasets, id)
    ? control.snapshot.datasets.get(id)?.object
    : undefined
  if (dataset === undefined) throw notFound()
  return dataset
}

/** All datasets that somebody has rights to, by their ids. */
export function datasetsOf(principal: Principal, control: Pick<ControlView, 'snapshot'>): Dataset[] {
  return [...control.snapshot.datasets.values()]
    .map(({ object }) => object)
    .filter(({ id }) => reaches(principal.rights.datasets, id))
    .sort((one, other) => (one.id < other.id ? -1 : 1))
}
