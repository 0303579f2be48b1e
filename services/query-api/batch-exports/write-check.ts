import type { Delivery } from '../../../schemas/control/v1.ts'
import type { ObjectStore } from '../../core/object-store/object-store.ts'
import { putOnce } from '../../core/object-store/put-once.ts'

const NAME = '_write_check'
const TEXT = 'Written to see whether batch exports may write here. Nothing reads it.\n'

/**
 * Writes a small object to each place that the S3 sink writes to, unless it is there. A store decides whether somebody
 * may write before it looks at what is there, so a second time says as much as the first.
 *
 * @throws DependencyError of what cannot be written
 */
export async function checkWritable(
  store: Pick<ObjectStore, 'putIfAbsent'>,
  bucket: string,
  { id, prefix = id }: Pick<Delivery, 'id' | 'prefix'>,
): Promise<void> {
  for (const folder of [prefix, '_manifests', '_keys'])
    await putOnce(
      store,
      bucket,
      `${folder}/${NAME}`,
      { bytes: Buffer.from(TEXT) },
      { contentType: 'text/plain' },
    )
}
