import { type Static, Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import { choiceSchema } from '../http/choice-schema.ts'
import { POSTGRES_PORT } from './allowed-hosts.ts'
import {
  type Config,
  chosenEvents,
  type DestinationKind,
  type DestinationParts,
  EVENT_CHOICE,
} from './destination-kind.ts'
import type { TableAddress } from './destination-table.ts'

/** What is loaded in one transaction, and lies in the memory of the query API meanwhile. */
const BATCH = { rows: 100_000, bytes: '16MB' } as const
/** Folder of its batches in the bucket of the installation. */
const FOLDER = 'batch-exports'
const NAME = '^[A-Za-z_][A-Za-z0-9_]{0,62}$'
const SSL_MODES = ['verify-full', 'require', 'disable'] as const

const open = Type.Object(
  {
    host: Type.String({ pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$' }),
    port: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 65_535, description: `Default: ${POSTGRES_PORT}.` }),
    ),
    database: Type.String({ minLength: 1, maxLength: 63 }),
    user: Type.String({ minLength: 1, maxLength: 63 }),
    schema: Type.Optional(Type.String({ pattern: NAME, description: 'Default: public.' })),
    table_name: Type.String({ pattern: NAME, description: 'It is made when it is not there.' }),
    ssl_mode: Type.Optional({
      ...choiceSchema(SSL_MODES),
      description:
        'verify-full (default): encrypted, and its certificate is good for this host. require: encrypted. disable: in the clear.',
    }),
    batch_window_size: Type.Optional(
      Type.Integer({
        minimum: 10,
        maximum: 86_400,
        description: 'Seconds after which events are loaded, before their interval ends. Default: 300.',
      }),
    ),
    ...EVENT_CHOICE,
  },
  { additionalProperties: false },
)
type PostgresConfig = Required<
  Pick<Static<typeof open>, 'port' | 'schema' | 'ssl_mode' | 'batch_window_size'>
> &
  Static<typeof open>

/** A table in PostgreSQL. The S3 sink writes batches into the installation's own bucket, and the keeper loads them. */
export const POSTGRES_DESTINATION: DestinationKind = {
  type: 'Postgres',
  open,
  secret: { password: Type.String({ minLength: 1, maxLength: 1_000 }) },
  sealedAs: { password: 'password' },
  fixed: ['database', 'schema', 'table_name'],
  complete(given, mayConnect) {
    const config = {
      port: POSTGRES_PORT,
      schema: 'public',
      ssl_mode: 'verify-full',
      batch_window_size: 300,
      ...given,
    }
    const { host, port } = config as unknown as PostgresConfig
    if (!mayConnect(host, port))
      throw invalidInput('destination__config__host', hostRefused(host, port), 'not_allowed')
    return config
  },
}

/** Says it to whoever asks for a batch export, and of one whose host may be connected to no more. */
export function hostRefused(host: string, port: number): string {
  return `Batch exports may not connect to ${host}:${port}. Whoever runs this names the hosts that they may connect to in MILLRACE_BATCH_EXPORT_HOSTS.`
}

export function postgresDelivery(given: Config, stagingBucket: string): DestinationParts {
  const config = given as unknown as PostgresConfig
  return {
    format: 'jsonl',
    compression: 'gzip',
    bucket: stagingBucket,
    prefix: FOLDER,
    ...chosenEvents(config),
    rotate: { ...BATCH, age: `${config.batch_window_size}s` },
  }
}

export function tableAddress(given: Config, password: string): TableAddress {
  const { host, port, ssl_mode, database, user, schema, table_name } = given as unknown as PostgresConfig
  return {
    host,
    port,
    ssl_mode: ssl_mode as TableAddress['ssl_mode'],
    database,
    user,
    password,
    schema,
    table_name,
  }
}
