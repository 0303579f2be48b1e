import { type Static, Type } from '@sinclair/typebox'
import { parseDuration } from '../../core/runtime/settings.ts'
import { ApiError, invalidInput } from '../http/api-error.ts'
import { choiceSchema } from '../http/choice-schema.ts'
import type { Principal } from '../http/principal.ts'
import { ALL_DATASETS, covers, type Rights, SCOPES } from '../http/scopes.ts'

const LABEL_LENGTH_MAX = 40
const DATASETS_MAX = 100
/** Longest time that the text before a roll may go on working: long enough to change it everywhere by hand. */
const OVERLAP_MAX_MS = 7 * 86_400_000
const strict = { additionalProperties: false }

const Label = Type.String({ minLength: 1, maxLength: LABEL_LENGTH_MAX, description: 'What the key is for.' })
const Scopes = Type.Array(choiceSchema(SCOPES), {
  minItems: 1,
  maxItems: SCOPES.length,
  description: '`object:read`, `object:write` (which includes reading), or `*`.',
})
const Datasets = Type.Array(Type.String({ maxLength: 63 }), {
  minItems: 1,
  maxItems: DATASETS_MAX,
  description: 'Datasets that the key opens; `["*"]` for all, now and later.',
})
const ExpiresAt = Type.Union([Type.String({ maxLength: 40 }), Type.Null()], {
  description: 'When it ends, ISO 8601 with an offset; null for never.',
})

/** Body of POST, and of PUT, which replaces everything that may be changed. */
export const KeyBody = Type.Object(
  { label: Label, scopes: Scopes, datasets: Datasets, expires_at: Type.Optional(ExpiresAt) },
  strict,
)
/** Body of PATCH. */
export const KeyChange = Type.Partial(KeyBody, strict)

export const RollBody = Type.Object(
  {
    overlap: Type.Optional(
      Type.String({
        maxLength: 12,
        description:
          'How long the old text goes on working beside the new one: `0s` (default), `30m`, `24h`, at most `7d`.',
      }),
    ),
  },
  strict,
)

/** What people may say of a key. */
export interface KeyFields {
  readonly label: string
  readonly rights: Rights
  /** Epoch ms. */
  readonly expiresAt: number | null
}

/**
 * @param exists whether there is a dataset of this id
 * @throws ApiError 400
 */
export function keyFields(body: Static<typeof KeyBody>, exists: (dataset: string) => boolean): KeyFields {
  return {
    label: body.label,
    rights: {
      scopes: [...new Set(body.scopes)],
      datasets: knownDatasets(body.datasets, exists),
    },
    expiresAt: expiryOf(body.expires_at ?? null),
  }
}

/** A dataset that does not exist is a typing error: it would open something else once somebody makes that dataset. */
function knownDatasets(datasets: readonly string[], exists: (dataset: string) => boolean): string[] {
  const unique = [...new Set(datasets)]
  if (unique.includes(ALL_DATASETS)) return [ALL_DATASETS]
  for (const [at, id] of unique.entries())
    if (!exists(id)) throw invalidInput(`datasets__${at}`, 'There is no such dataset.')
  return unique
}

function expiryOf(text: string | null): number | null {
  if (text === null) return null
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms))
    throw invalidInput('expires_at', 'Write it as ISO 8601 with an offset, e.g. 2027-01-31T12:00:00Z.')
  return ms
}

/** @returns ms; @throws ApiError 400 */
export function overlapOf({ overlap }: Static<typeof RollBody>): number {
  if (overlap === undefined) return 0
  let ms: number
  try {
    ms = parseDuration(overlap)
  } catch (error) {
    throw invalidInput('overlap', `overlap ${(error as Error).message}.`)
  }
  if (ms > OVERLAP_MAX_MS) throw invalidInput('overlap', 'overlap may be at most 7d.')
  return ms
}

/** A key makes no key with more rights than it has itself. @throws ApiError 403 */
export function checkGrants(principal: Principal, rights: Rights): void {
  if (covers(principal.grants, rights)) return
  throw new ApiError(403, {
    type: 'authentication_error',
    code: 'permission_denied',
    detail: 'This key may not give rights that it does not have itself: no more scopes, no other datasets.',
    attr: null,
  })
}
