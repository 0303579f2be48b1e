import { type Static, type TObject, Type } from '@sinclair/typebox'
import type { DeliveryWindow } from '../../../schemas/control/v1.ts'
import { choiceSchema } from '../http/choice-schema.ts'
import { CHAINS_MAX } from './batch-export-store.ts'
import type { Config, DestinationKind } from './destination-kind.ts'
import { POSTGRES_DESTINATION } from './postgres-destination.ts'
import { S3_DESTINATION } from './s3-destination.ts'

/** Words of clients for lengths of windows. */
export const INTERVALS = {
  hour: '1h',
  day: '1d',
  week: '1w',
  'every 5 minutes': '5m',
  'every 15 minutes': '15m',
} as const satisfies Record<string, DeliveryWindow['length']>
export type BatchInterval = keyof typeof INTERVALS

const strict = { additionalProperties: false }
const type = Type.String({ maxLength: 40 })

const own = {
  name: Type.String({ minLength: 1, maxLength: 400 }),
  end_at: Type.Optional(
    Type.Union([Type.String({ maxLength: 40 }), Type.Null()], {
      description: 'The interval that holds the moment before is the last one; null for none.',
    }),
  ),
  filters: Type.Optional(
    Type.Union([Type.Array(Type.Unknown()), Type.Record(Type.String(), Type.Unknown()), Type.Null()], {
      description: 'Property filters that events must pass, as insights have them; null for none.',
    }),
  ),
  mask_pii: Type.Optional(Type.Boolean({ description: 'Whether files say who people are. Default: false.' })),
}
const fixed = {
  interval: choiceSchema(['hour', 'day', 'week', 'every 5 minutes', 'every 15 minutes']),
  timezone: Type.Optional(
    Type.String({ maxLength: 64, description: 'Whose days and weeks; that of the dataset when left out.' }),
  ),
  interval_offset: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 167,
      description: 'Hour at which days begin, up to 23; of weeks, hours after Monday began.',
    }),
  ),
}

const first = {
  paused: Type.Optional(Type.Boolean()),
  start_at: Type.Optional(
    Type.String({ maxLength: 40, description: 'From when on; the interval under way when left out.' }),
  ),
  trigger_immediately: Type.Optional(
    Type.Boolean({
      description: 'Begins with the interval before the one under way, so that it comes at once.',
    }),
  ),
}
const shownText = Type.Optional(Type.String({ maxLength: 400 }))
const shownTextOrNull = Type.Optional(Type.Union([Type.String({ maxLength: 1_000 }), Type.Null()]))
/** Of a batch export that is there: what answers have beside it, so that an answer can be sent back. */
const repeated = {
  paused: Type.Optional(
    Type.Boolean({ description: 'As `pause` and `unpause` do. It stays when left out.' }),
  ),
  id: Type.Optional(Type.Integer()),
  start_at: shownText,
  created_at: shownText,
  created_by: shownText,
  last_updated_at: Type.Optional(
    Type.String({
      maxLength: 40,
      description: 'Of the batch export that the change was made from; 409 when it has changed since.',
    }),
  ),
  deliveries: Type.Optional(Type.Array(Type.String({ maxLength: 100 }), { maxItems: CHAINS_MAX })),
  latest_error: shownTextOrNull,
  last_paused_at: shownTextOrNull,
}
const destination = (config: TObject) => Type.Object({ type, config }, strict)

/** Bodies about a destination of one kind. */
function bodiesOf({ open, secret }: DestinationKind) {
  const whole = Type.Object({ ...open.properties, ...secret }, strict)
  const withoutSecret = Type.Object(
    { ...open.properties, ...Type.Partial(Type.Object(secret)).properties },
    strict,
  )
  return {
    post: Type.Object({ ...own, ...fixed, ...first, destination: destination(whole) }, strict),
    /** The same, once it is made: what cannot change may be repeated, and credentials, which nobody is shown, left out. */
    put: Type.Object({ ...own, ...fixed, ...repeated, destination: destination(withoutSecret) }, strict),
    patch: Type.Object(
      {
        ...Type.Partial(Type.Object({ ...own, ...fixed })).properties,
        ...repeated,
        destination: Type.Optional(
          Type.Object(
            { type: Type.Optional(type), config: Type.Optional(Type.Partial(whole, strict)) },
            strict,
          ),
        ),
      },
      strict,
    ),
  } as const
}
type Bodies = ReturnType<typeof bodiesOf>
export type PatchBody = Partial<Omit<Static<Bodies['put']>, 'destination'>> & {
  readonly destination?: { readonly type?: string; readonly config?: Config }
}

/** By kind of destination. */
export const BODIES = { S3: bodiesOf(S3_DESTINATION), Postgres: bodiesOf(POSTGRES_DESTINATION) } as const

/** As the documentation has them. */
export const AnyPostBody = Type.Union([BODIES.S3.post, BODIES.Postgres.post])
export const AnyPutBody = Type.Union([BODIES.S3.put, BODIES.Postgres.put])
export const AnyPatchBody = Type.Union([BODIES.S3.patch, BODIES.Postgres.patch])

/** Is it a time zone that clocks know? */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
