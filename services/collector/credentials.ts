import type { IncomingHttpHeaders } from 'node:http'
import { parseAccessKey } from '../core/control/access-key.ts'
import type { ControlSnapshot } from '../core/control/control-view.ts'
import { RequestRefusal } from './request-refusal.ts'

/** Answers are constants: they tell nothing of which keys, datasets or expiry dates there are. */
const MISSING_KEY = new RequestRefusal(
  'missing_key',
  'Send the write key: Authorization: Bearer, Basic with the key as user, or X-Write-Key.',
)
const INVALID_KEY = new RequestRefusal('invalid_key', 'The write key is not valid.')
const WRONG_SCOPE = new RequestRefusal('wrong_scope', 'This key may not write events.')

/**
 * The key text that the headers carry: Authorization before X-Write-Key. Undefined when they carry none; then the
 * body is asked. A header that is there and unreadable is a wrong key, never a reason to look elsewhere.
 */
export function keyFromHeaders(headers: IncomingHttpHeaders): string | undefined {
  const { authorization } = headers
  if (authorization !== undefined) return keyFromAuthorization(authorization)
  const own = headers['x-write-key']
  return Array.isArray(own) ? own.join() : own
}

function keyFromAuthorization(authorization: string): string {
  const [, scheme = '', value = ''] = /^\s*([A-Za-z]+) +(\S+)\s*$/.exec(authorization) ?? []
  if (scheme.toLowerCase() === 'bearer') return value
  if (scheme.toLowerCase() !== 'basic') return ''
  const pair = Buffer.from(value, 'base64').toString('latin1')
  const colon = pair.indexOf(':')
  return colon < 0 ? pair : pair.slice(0, colon)
}

/**
 * The dataset that a key writes to. Form and checksum are checked first, so that guesses cost no look-up; a key that
 * is unknown, has expired or whose dataset is gone gets one and the same answer.
 *
 * @param nowMs epoch milliseconds
 */
export function authorise(
  key: string | undefined,
  snapshot: ControlSnapshot,
  nowMs: number,
): { readonly datasetId: string } | RequestRefusal {
  if (key === undefined) return MISSING_KEY
  const parsed = parseAccessKey(key)
  if (parsed === null) return INVALID_KEY
  // Whoever pasted a key of the API where events are sent is told so; that it exists is not told.
  if (parsed.kind === 'personal' || parsed.kind === 'admin') return WRONG_SCOPE
  const known = snapshot.keys.get(parsed.hash)?.object
  if (known === undefined || !snapshot.datasets.has(known.dataset)) return INVALID_KEY
  // Not "later than": a date that cannot be read must not keep a key alive.
  if (known.expires_at !== undefined && !(Date.parse(known.expires_at) > nowMs)) return INVALID_KEY
  return known.scope === 'write' ? { datasetId: known.dataset } : WRONG_SCOPE
}
