import { type Static, Type } from '@sinclair/typebox'
import { compressionFault, FILE_COMPRESSIONS } from '../../core/control/file-compression.ts'
import { parsePartitionTemplate } from '../../core/control/partition-template.ts'
import { invalidInput } from '../http/api-error.ts'
import { choiceSchema } from '../http/choice-schema.ts'
import {
  type Config,
  chosenEvents,
  type DestinationKind,
  type DestinationParts,
  EVENT_CHOICE,
} from './destination-kind.ts'

const FORMATS = { JSONLines: 'jsonl', Parquet: 'parquet', CSV: 'csv' } as const

/** Records of one file at most. */
const FILE_ROWS = 1_000_000
/** More would be spooled on the disk of the S3 sink for each partition. */
const FILE_MB_MAX = 1_000

const open = Type.Object(
  {
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
    compression: Type.Optional(choiceSchema(FILE_COMPRESSIONS.parquet)),
    max_file_size_mb: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: FILE_MB_MAX,
        description: 'Megabytes of events, as JSON and before compression, after which a file is closed.',
      }),
    ),
    ...EVENT_CHOICE,
  },
  { additionalProperties: false },
)
type S3Config = Static<typeof open>

/** Files in a bucket, which the S3 sink writes with the credentials of whoever it belongs to. */
export const S3_DESTINATION: DestinationKind = {
  type: 'S3',
  open,
  secret: {
    aws_access_key_id: Type.String({ minLength: 1, maxLength: 200 }),
    aws_secret_access_key: Type.String({ minLength: 1, maxLength: 200 }),
  },
  sealedAs: { aws_access_key_id: 'accessKeyId', aws_secret_access_key: 'secretAccessKey' },
  fixed: ['bucket_name'],
  complete(config) {
    const { prefix, compression } = config as S3Config
    readPrefix(prefix)
    const fault = compressionFault(formatOf(config as S3Config), compression)
    if (fault !== null) throw invalidInput('destination__config__compression', `${fault}.`)
    return config
  },
}

/** What of a delivery follows from where it goes to. */
export function s3Delivery(given: Config, sealedCredentials: string): DestinationParts {
  const config = given as S3Config
  const { prefix, partitionBy } = readPrefix(config.prefix)
  return {
    format: formatOf(config),
    bucket: config.bucket_name,
    ...(prefix === null ? {} : { prefix }),
    ...(partitionBy === null ? {} : { partition_by: partitionBy }),
    ...(config.compression === undefined ? {} : { compression: config.compression }),
    ...chosenEvents(config),
    rotate: {
      rows: FILE_ROWS,
      age: `${config.batch_window_size}s`,
      ...(config.max_file_size_mb === undefined ? {} : { bytes: `${config.max_file_size_mb}MB` }),
    },
    destination: { region: config.region, sealed_credentials: sealedCredentials },
  }
}

const formatOf = ({ file_format }: S3Config) => FORMATS[file_format ?? 'JSONLines']

/** A prefix as deliveries have it: the folders before the first variable, and the template of those after it. */
function readPrefix(prefix: string): {
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
