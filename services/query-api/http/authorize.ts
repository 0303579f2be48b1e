import type { Dataset } from '../../../schemas/control/v1.ts'
import { parseAccessKey } from '../../core/control/access-key.ts'
import type { ControlView } from '../../core/control/control-view.ts'
import { ApiError, notFound } from './api-error.ts'

/** What a request brings to prove who it is. */
export interface Credentials {
  readonly authorization: string | undefined
  /** The query parameter `personal_api_key`, for clients that cannot set a header. */
  readonly queryKey: string | null
}

/**
 * The dataset that a request may read. A key opens its own dataset only; any other id is answered like one that does
 * not exist, whether it does or not.
 *
 * @throws ApiError 401 without a valid key, 403 with a write key, 404 for another dataset, 503 while it is not
 *         certain that keys are up to date (a revoked key must not go on working)
 */
export function authorize(
  control: ControlView,
  credentials: Credentials,
  datasetId: string,
  nowMs: number,
): Dataset {
  const problem = control.problem()
  if (problem !== null)
    throw new ApiError(
      503,
      {
        type: 'server_error',
        code: 'keys_unavailable',
        detail: 'Keys cannot be checked at the moment.',
        attr: null,
      },
      { 'retry-after': '5' },
    )
  const text = keyText(credentials)
  if (text === null)
    throw unauthenticated(
      'not_authenticated',
      'No key was sent. Send a read key: Authorization: Bearer mr_r_…',
    )
  const parsed = parseAccessKey(text)
  const key = parsed === null ? undefined : control.snapshot.keys.get(parsed.hash)?.object
  const isExpired = key?.expires_at !== undefined && !(Date.parse(key.expires_at) > nowMs)
  if (key === undefined || isExpired) throw unauthenticated('authentication_failed', 'This key is not valid.')
  if (key.scope !== 'read')
    throw new ApiError(403, {
      type: 'authentication_error',
      code: 'permission_denied',
      detail: 'This is a write key. Reading needs a read key (mr_r_…).',
      attr: null,
    })
  const dataset = key.dataset === datasetId ? control.snapshot.datasets.get(datasetId)?.object : undefined
  if (dataset === undefined) throw notFound()
  return dataset
}

function keyText({ authorization, queryKey }: Credentials): string | null {
  const bearer = /^Bearer +(\S+) *$/i.exec(authorization ?? '')
  return bearer ? (bearer[1] as string) : queryKey
}

function unauthenticated(code: string, detail: string): ApiError {
  return new ApiError(
    401,
    { type: 'authentication_error', code, detail, attr: null },
    { 'www-authenticate': 'Bearer' },
  )
}
