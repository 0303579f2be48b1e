import { windowAt } from '../../core/control/delivery-window.ts'
import { credentialsPurpose, seal, unseal } from '../../core/control/sealed.ts'
import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import { ApiError, invalidInput } from '../http/api-error.ts'
import { readTime } from '../objects/object-body.ts'
import { type PatchBody, readPrefix, type S3Config } from './batch-export-body.ts'
import type { BatchExportNeeds } from './batch-export-calls.ts'
import { windowOf } from './batch-export-delivery.ts'

type Given = Readonly<Record<string, unknown>>

/** A destination as it is kept: what is open as JSON, credentials sealed. */
type Columns = Pick<BatchExportRow, 'config' | 'sealed_credentials'>

export interface DestinationColumns {
  /** @throws ApiError 400, 503 without a key to seal with */
  of(dataset: string, whole: Given): Columns
  /** PUT: the whole configuration; credentials stay when both are left out. @throws ApiError 400, 503 */
  replaced(row: BatchExportRow, whole: Given): Columns
  /** PATCH as the whole configuration that comes of it. @throws ApiError 400, 503 */
  patched(row: BatchExportRow, given: Given): Columns
}

const CREDENTIALS = ['aws_access_key_id', 'aws_secret_access_key'] as const

export function createDestinationColumns({
  secretKey,
  randomBytes,
}: Pick<BatchExportNeeds, 'secretKey' | 'randomBytes'>): DestinationColumns {
  function sealed(dataset: string, config: Given): string {
    if (secretKey === null) throw noSecretKey()
    const plain = {
      accessKeyId: config.aws_access_key_id,
      secretAccessKey: config.aws_secret_access_key,
    }
    return seal(JSON.stringify(plain), credentialsPurpose(dataset), secretKey, randomBytes)
  }

  function opened(row: BatchExportRow): Given {
    const purpose = credentialsPurpose(row.dataset_id)
    const plain = secretKey && unseal(row.sealed_credentials, purpose, secretKey)
    if (plain === null) throw noSecretKey()
    const { accessKeyId, secretAccessKey } = JSON.parse(plain) as Record<string, string>
    return { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey }
  }

  const isRenewed = (given: Given) => CREDENTIALS.some((name) => given[name] !== undefined)
  return {
    of: (dataset, whole) => ({ config: openConfig(whole), sealed_credentials: sealed(dataset, whole) }),
    replaced(row, whole) {
      const { sealed_credentials: same } = row
      if (!isRenewed(whole)) return { config: openConfig(whole), sealed_credentials: same }
      const missing = CREDENTIALS.find((name) => whole[name] === undefined)
      if (missing !== undefined)
        throw invalidInput(
          `destination__config__${missing}`,
          'Send both credentials, or none to keep those there are.',
          'required',
        )
      return { config: openConfig(whole), sealed_credentials: sealed(row.dataset_id, whole) }
    },
    patched(row, given) {
      const config = openConfig({ ...(JSON.parse(row.config) as S3Config), ...given })
      if (!isRenewed(given)) return { config, sealed_credentials: row.sealed_credentials }
      return { config, sealed_credentials: sealed(row.dataset_id, { ...opened(row), ...given }) }
    },
  }
}

/** What of a configuration is kept as it is. @throws ApiError 400 */
function openConfig(whole: Given): string {
  const { aws_access_key_id: _, aws_secret_access_key: __, ...open } = whole
  const config = open as S3Config
  readPrefix(config.prefix)
  if (config.file_format === 'Parquet' && config.compression === 'gzip')
    throw invalidInput('destination__config__compression', 'Parquet files are compressed with zstd only.')
  return JSON.stringify(config)
}

/**
 * What a change repeats must be what is there; manifests and runs hang on it, or it is how things came to be.
 *
 * @throws ApiError 400
 */
export function refuseMoved(row: BatchExportRow, given: PatchBody, config: Given): void {
  const { interval, timezone, interval_offset: offset } = given
  const { bucket_name: bucket } = JSON.parse(row.config) as S3Config
  const hangs: readonly (readonly [string, boolean])[] = [
    ['interval', interval === undefined || interval === row.interval],
    ['timezone', timezone === undefined || timezone === row.timezone],
    ['interval_offset', offset === undefined || offset === row.day_begins],
    ['destination__config__bucket_name', (config.bucket_name ?? bucket) === bucket],
  ]
  const moved = hangs.find(([, isSame]) => !isSame)
  if (moved !== undefined)
    throw invalidInput(
      moved[0],
      'This cannot change: its manifests are one chain in one bucket, and its runs follow its intervals. Make another batch export, and delete this one.',
    )
  const { id, start_at, created_at, created_by } = given
  const made: readonly (readonly [string, boolean])[] = [
    ['id', id === undefined || id === row.id],
    // As it was asked for, or as it is shown: the beginning of the same interval.
    [
      'start_at',
      start_at === undefined ||
        windowAt(windowOf(row), readTime(start_at, 'start_at')).startMs === row.start_at,
    ],
    ['created_at', created_at === undefined || readTime(created_at, 'created_at') === row.created_at],
    ['created_by', created_by === undefined || created_by === row.created_by],
  ]
  const unlike = made.find(([, isSame]) => !isSame)
  if (unlike !== undefined)
    throw invalidInput(
      unlike[0],
      'This cannot change. Leave it out, or send it as it is shown; for what landed earlier, ask for a backfill.',
    )
}

function noSecretKey(): ApiError {
  return new ApiError(503, {
    type: 'server_error',
    code: 'not_configured',
    detail:
      'Credentials cannot be kept here: whoever runs this has to set MILLRACE_SECRET_KEY, for the query API and the S3 sink alike.',
    attr: null,
  })
}
