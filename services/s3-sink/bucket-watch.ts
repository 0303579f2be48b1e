import { publicKeyKey } from '../../schemas/manifest/v1.ts'
import type { ControlView } from '../core/control/control-view.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import type { Watched } from '../core/runtime/dependency-watch.ts'

/**
 * Whether the buckets of all deliveries in force can be read, so that an S3 that went away shows before the next
 * batch closes, which may be an hour later. It asks for the object that every reader of manifests needs, the public
 * key; that it is not there yet is an answer too, a bucket that is gone is none. Buckets of somebody else are not asked:
 * what is wrong with them is his to mend.
 */
export function bucketWatch(
  store: Pick<ObjectStore, 'get'>,
  control: Pick<ControlView, 'snapshot'>,
  bucketDefault: string,
  keyId: string,
): Watched {
  return {
    name: 's3',
    async ask() {
      const deliveries = [...control.snapshot.deliveries.values()].filter(
        ({ object }) => object.destination === undefined,
      )
      const buckets = new Set(deliveries.map(({ object }) => object.bucket ?? bucketDefault))
      await Promise.all([...buckets].map((bucket) => store.get(bucket, publicKeyKey(keyId))))
    },
  }
}
