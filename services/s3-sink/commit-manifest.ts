import { type Manifest, manifestKey } from '../../schemas/manifest/v1.ts'
import { type SigningKey, sha256Hex, signContent } from '../core/manifest/manifest-signature.ts'
import { readManifest } from '../core/manifest/read-manifest.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import { putOnce } from '../core/object-store/put-once.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import { getStored } from './get-stored.ts'

export type ManifestContent = Omit<Manifest, 'signature'>

/** What the next batch chains on, as it is carried from plan to plan. */
export interface ChainLink {
  readonly bucket: string
  readonly start: number
  /** Of the manifest's stored bytes, hex. */
  readonly sha256: string
}

export function encodeLink({ sha256, start, bucket }: ChainLink): string {
  return `${sha256} ${start} ${bucket}`
}

/** Null for the empty text that a first batch is handed. */
export function decodeLink(carry: string): ChainLink | null {
  if (carry === '') return null
  const [sha256 = '', start = '', bucket = ''] = carry.split(' ')
  return { sha256, start: Number(start), bucket }
}

/**
 * Writes the manifest, which is the commit of the batch; or takes the one that an earlier try of the same plan wrote,
 * when it says the same.
 *
 * @returns the link that the next batch chains on
 * @throws DependencyError `outcome_unknown` when a plan that a late commit wiped out was carried out first: who begins
 *   again finds its range delivered; `corrupt` when another manifest lies there
 */
export async function commitManifest(
  store: ObjectStore,
  content: ManifestContent,
  key: SigningKey,
): Promise<ChainLink> {
  const { bucket, source } = content
  const name = manifestKey(content.delivery, source.topic, source.partition, source.start)
  const bytes = signContent(content, key)
  const link = (sha256: string): ChainLink => ({ bucket, start: source.start, sha256 })
  if (await putOnce(store, bucket, name, { bytes }, { contentType: 'application/json' }))
    return link(sha256Hex(bytes))
  const { value: found, sha256 } = await getStored(store, bucket, name, readManifest)
  if (isOfAnotherPlan(found, content))
    throw new DependencyError(
      's3',
      'outcome_unknown',
      `${bucket}/${name} was written for another plan, up to offset ${found.source.end}. That range is delivered, and this one is not begun.`,
    )
  const difference = differenceOf(found, content)
  if (difference !== null)
    throw new DependencyError(
      's3',
      'corrupt',
      `${bucket}/${name} exists and is not of this batch. ${difference}`,
    )
  return link(sha256)
}

/** From the same offset of the same topic, after the same manifest, but with another end. */
function isOfAnotherPlan({ source, previous }: Manifest, content: ManifestContent): boolean {
  return (
    source.topic_id === content.source.topic_id &&
    source.end !== content.source.end &&
    JSON.stringify(previous) === JSON.stringify(content.previous)
  )
}

/** What two manifests of one plan must have in common; the encoder and the signing key may have changed between. */
function differenceOf(stored: Manifest, content: ManifestContent): string | null {
  const essence = ({ source, receipt, objects, config }: ManifestContent) =>
    JSON.stringify([
      [source.topic, source.topic_id, source.partition, source.start, source.end, source.digest],
      [receipt.read, receipt.delivered, receipt.filtered, receipt.rejected, receipt.control],
      objects.map(({ key, rows, row_digest, sha256 }) => [key, rows, row_digest, sha256]),
      config,
    ])
  const [was, is] = [essence(stored), essence(content)]
  return was === is ? null : `It says ${was}, this batch ${is}.`
}
