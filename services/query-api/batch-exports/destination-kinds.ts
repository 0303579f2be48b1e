import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import { invalidInput } from '../http/api-error.ts'
import type { DestinationKind } from './destination-kind.ts'
import { POSTGRES_DESTINATION } from './postgres-destination.ts'
import { S3_DESTINATION } from './s3-destination.ts'

const KINDS = { S3: S3_DESTINATION, Postgres: POSTGRES_DESTINATION } as const satisfies Record<
  BatchExportRow['destination'],
  DestinationKind
>

export function kindOf({ destination }: Pick<BatchExportRow, 'destination'>): DestinationKind {
  return KINDS[destination]
}

/**
 * The kind of destination that a body names, before anything else of it is looked at; S3 where it names none.
 *
 * @throws ApiError 400 for one that nothing here writes to
 */
export function kindIn(body: unknown): DestinationKind {
  const type = typeIn(body)
  const kind = Object.values(KINDS).find((each) => each.type === type)
  if (kind !== undefined) return kind
  if (typeof type !== 'string') return S3_DESTINATION
  throw invalidInput(
    'destination__type',
    `Batch exports go to S3 and Postgres. For ${type.slice(0, 40)}, load the files that the manifests of one in S3 name into the warehouse: docs/warehouses.md has the tables and the statements for Redshift, BigQuery, Snowflake, ClickHouse and DuckDB.`,
    'not_supported',
  )
}

/** @throws ApiError 400 for a body that names another kind than what it is to change has */
export function refuseOtherKind({ destination }: Pick<BatchExportRow, 'destination'>, body: unknown): void {
  const isNamed = typeof typeIn(body) === 'string'
  if (!isNamed || kindIn(body).type === destination) return
  throw invalidInput(
    'destination__type',
    `This cannot change: it is ${destination}. Make another batch export.`,
  )
}

function typeIn(body: unknown): unknown {
  return (body as { readonly destination?: { readonly type?: unknown } } | null | undefined)?.destination
    ?.type
}
