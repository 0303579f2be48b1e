import { credentialsPurpose, seal, unseal } from '../../core/control/sealed.ts'
import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import { ApiError, invalidInput } from '../http/api-error.ts'
import { readPrefix, type S3Config } from './batch-export-body.ts'
import type { BatchExportNeeds } from './batch-export-calls.ts'

type Given = Readonly<Record<string, unknown>>

/** A destination as it is kept: what is open as JSON, credentials sealed. */
export interface DestinationColumns {
  /** @throws ApiError 400, 503 without a key to seal with */
  of(dataset: string, whole: Given): Pick<BatchExportRow, 'config' | 'sealed_credentials'>
  /** PATCH as the whole configuration that comes of it. */
  patched(row: BatchExportRow, given: Given): Pick<BatchExportRow, 'config' | 'sealed_credentials'>
}

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

  function of(dataset: string, whole: Given) {
    const { aws_access_key_id: _, aws_secret_access_key: __, ...open } = whole
    const config = open as S3Config
    readPrefix(config.prefix)
    if (config.file_format === 'Parquet' && config.compression === 'gzip')
      throw invalidInput('destination__config__compression', 'Parquet files are compressed with zstd only.')
    return { config: JSON.stringify(config), sealed_credentials: sealed(dataset, whole) }
  }

  function patched(row: BatchExportRow, given: Given) {
    const isRenewed = 'aws_access_key_id' in given || 'aws_secret_access_key' in given
    const open = { ...(JSON.parse(row.config) as S3Config), ...given }
    if (!isRenewed) {
      const { sealed_credentials: same } = row
      return {
        ...of(row.dataset_id, { ...open, ...openedCredentials(row) }),
        sealed_credentials: same,
      }
    }
    return of(row.dataset_id, { ...open, ...openedCredentials(row), ...given })
  }

  function openedCredentials(row: BatchExportRow): Record<string, unknown> {
    const purpose = credentialsPurpose(row.dataset_id)
    const plain = secretKey && unseal(row.sealed_credentials, purpose, secretKey)
    if (plain === null) throw noSecretKey()
    const { accessKeyId, secretAccessKey } = JSON.parse(plain) as Record<string, string>
    return { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey }
  }

  return { of, patched }
}

/** @throws ApiError 400 for what manifests and runs hang on */
export function refuseMoved(
  row: BatchExportRow,
  given: { readonly interval?: unknown; readonly timezone?: unknown; readonly interval_offset?: unknown },
  config: Given,
): void {
  const kept = {
    interval: row.interval,
    timezone: row.timezone,
    interval_offset: row.day_begins,
  } as const
  const moved = Object.entries(kept).find(([name, value]) => {
    const wanted = given[name as keyof typeof kept]
    return wanted !== undefined && wanted !== value
  })
  const { bucket_name: bucket } = JSON.parse(row.config) as S3Config
  if (moved === undefined && (config.bucket_name ?? bucket) === bucket) return
  throw invalidInput(
    moved?.[0] ?? 'destination__config__bucket_name',
    'This cannot change: its manifests are one chain in one bucket, and its runs follow its intervals. Make another batch export, and delete this one.',
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
