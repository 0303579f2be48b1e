import { windowAt } from '../../core/control/delivery-window.ts'
import { credentialsPurpose, seal, unseal } from '../../core/control/sealed.ts'
import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import { ApiError, invalidInput } from '../http/api-error.ts'
import { readTime } from '../objects/object-body.ts'
import type { PatchBody } from './batch-export-body.ts'
import type { BatchExportNeeds } from './batch-export-calls.ts'
import { windowOf } from './batch-export-delivery.ts'
import type { Config, DestinationKind } from './destination-kind.ts'
import { kindOf } from './destination-kinds.ts'

/** A destination as it is kept: what is open as JSON, credentials sealed. */
type Columns = Pick<BatchExportRow, 'destination' | 'config' | 'sealed_credentials'>

export interface DestinationColumns {
  /** @throws ApiError 400, 503 without a key to seal with */
  of(dataset: string, kind: DestinationKind, whole: Config): Columns
  /** PUT: the whole configuration; credentials stay when all are left out. @throws ApiError 400, 503 */
  replaced(row: BatchExportRow, whole: Config): Columns
  /** PATCH as the whole configuration that comes of it. @throws ApiError 400, 503 */
  patched(row: BatchExportRow, given: Config): Columns
}

export function createDestinationColumns({
  secretKey,
  randomBytes,
  mayConnect,
}: Pick<BatchExportNeeds, 'secretKey' | 'randomBytes' | 'mayConnect'>): DestinationColumns {
  function sealed(dataset: string, { sealedAs }: DestinationKind, config: Config): string {
    if (secretKey === null) throw noSecretKey()
    const plain = Object.fromEntries(Object.entries(sealedAs).map(([name, as]) => [as, config[name]]))
    return seal(JSON.stringify(plain), credentialsPurpose(dataset), secretKey, randomBytes)
  }

  function opened(row: BatchExportRow): Config {
    const plain = openCredentials(row, secretKey)
    if (plain === null) throw noSecretKey()
    return Object.fromEntries(Object.entries(kindOf(row).sealedAs).map(([name, as]) => [name, plain[as]]))
  }

  function columns(kind: DestinationKind, whole: Config, sealedCredentials: string): Columns {
    const open = Object.entries(whole).filter(([name]) => !(name in kind.secret))
    const config = JSON.stringify(kind.complete(Object.fromEntries(open), mayConnect))
    return { destination: kind.type, config, sealed_credentials: sealedCredentials }
  }

  return {
    // What can be refused is, before anything is sealed.
    of(dataset, kind, whole) {
      const own = columns(kind, whole, '')
      return { ...own, sealed_credentials: sealed(dataset, kind, whole) }
    },
    replaced(row, whole) {
      const kind = kindOf(row)
      const [missing, ...others] = Object.keys(kind.secret).filter((name) => whole[name] === undefined)
      const isRenewed = missing === undefined
      if (!isRenewed && others.length + 1 < Object.keys(kind.secret).length)
        throw invalidInput(
          `destination__config__${missing}`,
          'Send all credentials, or none to keep those there are.',
          'required',
        )
      return columns(kind, whole, isRenewed ? sealed(row.dataset_id, kind, whole) : row.sealed_credentials)
    },
    patched(row, given) {
      const kind = kindOf(row)
      const isRenewed = Object.keys(kind.secret).some((name) => given[name] !== undefined)
      return columns(
        kind,
        { ...(JSON.parse(row.config) as Config), ...given },
        isRenewed ? sealed(row.dataset_id, kind, { ...opened(row), ...given }) : row.sealed_credentials,
      )
    },
  }
}

/** Credentials by the names that they are sealed under; null where there is no key, or another one. */
export function openCredentials(
  row: Pick<BatchExportRow, 'dataset_id' | 'sealed_credentials'>,
  secretKey: Uint8Array | null,
): Readonly<Record<string, string>> | null {
  const plain = secretKey && unseal(row.sealed_credentials, credentialsPurpose(row.dataset_id), secretKey)
  return plain === null ? null : (JSON.parse(plain) as Record<string, string>)
}

/**
 * What a change repeats must be what is there; manifests and runs hang on it, or it is how things came to be.
 *
 * @throws ApiError 400
 */
export function refuseMoved(row: BatchExportRow, given: PatchBody): void {
  const { interval, timezone, interval_offset: offset, destination } = given
  const before = JSON.parse(row.config) as Config
  const config = destination?.config ?? {}
  const hangs: readonly (readonly [string, boolean])[] = [
    ['interval', interval === undefined || interval === row.interval],
    ['timezone', timezone === undefined || timezone === row.timezone],
    ['interval_offset', offset === undefined || offset === row.day_begins],
    ...kindOf(row).fixed.map(
      (name) => [`destination__config__${name}`, (config[name] ?? before[name]) === before[name]] as const,
    ),
  ]
  const moved = hangs.find(([, isSame]) => !isSame)
  if (moved !== undefined)
    throw invalidInput(
      moved[0],
      'This cannot change: what it delivered is in one place, and its runs follow its intervals. Make another batch export, and delete this one.',
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
