import { type Static, Type } from '@sinclair/typebox'
import type { DeliveryWindow } from '../../../schemas/control/v1.ts'
import { parsePartitionTemplate } from '../../core/control/partition-template.ts'
import { invalidInput } from '../http/api-error.ts'
import { choiceSchema } from '../http/choice-schema.ts'
import { CHAINS_MAX } from './batch-export-store.ts'

/** Words of clients for lengths of windows. */
export const INTERVALS = {
  hour: '1h',
  day: '1d',
  week: '1w',
  'every 5 minutes': '5m',
  'every 15 minutes': '15m',
} as const satisfies Record<string, DeliveryWindow['length']>
export type BatchInterval = keyof typeof INTERVALS

export const FORMATS = { JSONLines: 'jsonl', Parquet: 'parquet', CSV: 'csv' } as const

/** More would be spooled on the disk of the S3 sink for each partition. */
const FILE_MB_MAX = 1_000

const EventNames = Type.Union([
  Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 1_000 }),
  Type.Null(),
])

const open = {
  bucket_name: Type.String({ pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$' }),
  region: Type.String({ pattern: '^[a-z0-9-]{1,40}$' }),
  prefix: Type.String({
    maxLength: 200,
    description: 'Folders; {year}, {month}, {day}, {hour}, {table} in them.',
  }),
  batch_window_size: Type.Integer({
    minimum: 10,
    maximum: 86_400,
    description: 'Seconds after which a file is closed, before its interval ends.',
  }),
  file_format: Type.Optional(choiceSchema(['JSONLines', 'Parquet', 'CSV'])),
  compression: Type.Optional(choiceSchema(['gzip', 'zstd'])),
  max_file_size_mb: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: FILE_MB_MAX,
      description: 'Megabytes of events, as JSON and before compression, after which a file is closed.',
    }),
  ),
  include_events: Type.Optional(EventNames),
  exclude_events: Type.Optional(EventNames),
}
const secret = {
  aws_access_key_id: Type.String({ minLength: 1, maxLength: 200 }),
  aws_secret_access_key: Type.String({ minLength: 1, maxLength: 200 }),
}
const strict = { additionalProperties: false }

/** The configuration as it is kept and shown. */
export const S3Config = Type.Object(open, strict)
export type S3Config = Static<typeof S3Config>

const destination = (config: ReturnType<typeof Type.Object>) =>
  Type.Object({ type: Type.String({ maxLength: 40 }), config }, strict)
const S3Whole = Type.Object({ ...open, ...secret }, strict)

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

export const BatchExportBody = Type.Object(
  {
    ...own,
    ...fixed,
    destination: destination(S3Whole),
    paused: Type.Optional(Type.Boolean()),
    start_at: Type.Optional(
      Type.String({ maxLength: 40, description: 'From when on; the interval under way when left out.' }),
    ),
    trigger_immediately: Type.Optional(
      Type.Boolean({
        description: 'Begins with the interval before the one under way, so that it comes at once.',
      }),
    ),
  },
  strict,
)
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
/** The same, once it is made: what cannot change may be repeated, and credentials, which nobody is shown, left out. */
export const PutBody = Type.Object(
  {
    ...own,
    ...fixed,
    ...repeated,
    destination: destination(
      Type.Object({ ...open, ...Type.Partial(Type.Object(secret)).properties }, strict),
    ),
  },
  strict,
)
export const PatchBody = Type.Object(
  {
    ...Type.Partial(Type.Object({ ...own, ...fixed })).properties,
    ...repeated,
    destination: Type.Optional(
      Type.Object(
        {
          type: Type.Optional(Type.String({ maxLength: 40 })),
          config: Type.Optional(Type.Partial(S3Whole, strict)),
        },
        strict,
      ),
    ),
  },
  strict,
)
export type PatchBody = Partial<Omit<Static<typeof PutBody>, 'destination'>> & {
  readonly destination?: { readonly config?: Readonly<Record<string, unknown>> }
}

/** @throws ApiError 400 for a destination that nothing here writes to; before its configuration is looked at */
export function refuseOtherDestinations(body: unknown): void {
  const type = (body as { readonly destination?: { readonly type?: unknown } } | undefined)?.destination?.type
  if (typeof type !== 'string' || type === 'S3') return
  throw invalidInput(
    'destination__type',
    `Batch exports write to S3. For ${type.slice(0, 40)}, load the files that their manifests name into the warehouse: docs/warehouses.md has the tables and the statements for Redshift, BigQuery, Snowflake, ClickHouse and DuckDB.`,
    'not_supported',
  )
}

/** A prefix as deliveries have it: the folders before the first variable, and the template of those after it. */
export function readPrefix(prefix: string): {
  readonly prefix: string | null
  readonly partitionBy: string | null
} {
  const attr = 'destination__config__prefix'
  const text = prefix.replace(/^\/+|\/+$/g, '')
  const template = text.replace(/\{([^}]*)\}/g, (whole, name: string) => {
    const known = VARIABLES[name]
    if (known !== undefined) return known
    throw invalidInput(
      attr,
      `There is no variable ${whole.slice(0, 40)} here. What is: ${Object.keys(VARIABLES)
        .map((each) => `{${each}}`)
        .join(', ')}. A file's name has its offsets, its manifest the interval.`,
    )
  })
  if (template === '') return { prefix: null, partitionBy: null }
  const folders = template.split('/')
  const first = folders.findIndex((folder) => folder.includes('{'))
  const fixedPart = folders.slice(0, first === -1 ? folders.length : first).join('/')
  const varied = first === -1 ? '' : folders.slice(first).join('/')
  const parts = parsePartitionTemplate(varied === '' ? fixedPart : template)
  if ('message' in parts) throw invalidInput(attr, `This cannot be a prefix: ${parts.message}.`)
  return { prefix: fixedPart === '' ? null : fixedPart, partitionBy: varied === '' ? null : varied }
}

const VARIABLES: Readonly<Record<string, string>> = {
  year: '{landed:yyyy}',
  month: '{landed:MM}',
  day: '{landed:dd}',
  hour: '{landed:HH}',
  table: 'events',
}

/** Is it a time zone that clocks know? */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
