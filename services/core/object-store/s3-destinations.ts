import { createDestinationStores, type DestinationStores } from './destination-stores.ts'
import type { ObjectStore } from './object-store.ts'
import type { S3Settings } from './s3-settings.ts'
import { openS3Store } from './s3-store.ts'

/** Tries of one request to somebody else's bucket before its failure counts. */
const ATTEMPTS = 3

/** Stores of deliveries over S3: the same server as the installation's, with the region and credentials of each. */
export function openDestinationStores(
  settings: S3Settings & { readonly secretKey: Uint8Array | null },
  own: ObjectStore,
): DestinationStores {
  return createDestinationStores(
    own,
    (region, { accessKeyId, secretAccessKey }) =>
      openS3Store({
        ...settings,
        s3Region: region,
        s3AccessKeyId: accessKeyId,
        s3SecretAccessKey: secretAccessKey,
        s3SessionToken: null,
        s3Attempts: Math.min(settings.s3Attempts, ATTEMPTS),
      }),
    settings.secretKey,
  )
}
