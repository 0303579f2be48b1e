import { timingSafeEqual } from 'node:crypto'
import { parseAccessKey } from '../../core/control/access-key.ts'
import type { ControlView } from '../../core/control/control-view.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import { ApiError } from './api-error.ts'
import { type Credentials, keyText } from './credentials.ts'
import { administrator, type Principal, personalKeyHolder, readKeyHolder } from './principal.ts'
import type { Rights } from './scopes.ts'

/**
 * A personal key by the hash of its text: null for one that is unknown, expired or revoked.
 *
 * @throws DependencyError when that cannot be told
 */
export type FindPersonalKey = (
  sha256: string,
) => Promise<{ readonly id: string; readonly rights: Rights } | null>

/** Who a request is of. */
export type Authenticate = (credentials: Credentials) => Promise<Principal>

/**
 * @param adminSha256 of the administrator's key, lower-case hex; null when there is none
 * @returns throws ApiError 401 without a valid key, 403 with a write key, 503 while it is not certain that keys are up
 *          to date (a revoked key must not go on working)
 */
export function createAuthenticate(needs: {
  readonly control: Pick<ControlView, 'snapshot' | 'problem'>
  readonly findPersonalKey: FindPersonalKey
  readonly adminSha256: string | null
  readonly clock: Pick<Clock, 'now'>
}): Authenticate {
  const { control, findPersonalKey, adminSha256, clock } = needs

  function readKey(hash: string): Principal {
    const key = control.snapshot.keys.get(hash)?.object
    const isExpired = key?.expires_at !== undefined && !(Date.parse(key.expires_at) > clock.now())
    if (key === undefined || isExpired) throw notValid()
    if (key.scope === 'read') return readKeyHolder(key.id, key.dataset)
    throw new ApiError(403, {
      type: 'authentication_error',
      code: 'permission_denied',
      detail: 'This is a write key. Reading needs a personal key (mr_p_…) or a read key (mr_r_…).',
      attr: null,
    })
  }

  async function personalKey(hash: string): Promise<Principal> {
    let found: Awaited<ReturnType<FindPersonalKey>>
    try {
      found = await findPersonalKey(hash)
    } catch (error) {
      if (isDependencyError(error)) throw keysUnavailable()
      throw error
    }
    if (found === null) throw notValid()
    return personalKeyHolder(found.id, found.rights)
  }

  return async (credentials) => {
    if (control.problem() !== null) throw keysUnavailable()
    const text = keyText(credentials)
    if (text === null)
      throw unauthenticated(
        'not_authenticated',
        'No key was sent. Send a personal key or a read key: Authorization: Bearer mr_p_…',
      )
    const parsed = parseAccessKey(text)
    if (parsed === null) throw notValid()
    if (parsed.kind === 'personal') return personalKey(parsed.hash)
    if (parsed.kind !== 'admin') return readKey(parsed.hash)
    if (adminSha256 === null || !timingSafeEqual(Buffer.from(parsed.hash), Buffer.from(adminSha256)))
      throw notValid()
    return administrator
  }
}

function keysUnavailable(): ApiError {
  return new ApiError(
    503,
    {
      type: 'server_error',
      code: 'keys_unavailable',
      detail: 'Keys cannot be checked at the moment.',
      attr: null,
    },
    { 'retry-after': '5' },
  )
}

function notValid(): ApiError {
  return unauthenticated('authentication_failed', 'This key is not valid.')
}

function unauthenticated(code: string, detail: string): ApiError {
  return new ApiError(
    401,
    { type: 'authentication_error', code, detail, attr: null },
    { 'www-authenticate': 'Bearer' },
  )
}
