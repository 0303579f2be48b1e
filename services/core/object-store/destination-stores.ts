import { LRUCache } from 'lru-cache'
import type { Delivery } from '../../../schemas/control/v1.ts'
import { credentialsPurpose, unseal } from '../control/sealed.ts'
import { DependencyError } from '../runtime/errors.ts'
import type { ObjectStore } from './object-store.ts'

/** Clients that are kept open; each has sockets of its own. */
const STORES_MAX = 200

export interface S3Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

/** What of a delivery says which store it writes to. */
export type Destined = Pick<Delivery, 'datasets' | 'destination'>

export interface DestinationStores {
  /**
   * The store of a delivery: the installation's own, or one with the delivery's credentials.
   *
   * @throws DependencyError `denied` when its credentials cannot be opened
   */
  of(delivery: Destined): ObjectStore
  close(): void
}

/**
 * @param own       the installation's store; `close` leaves it open
 * @param open      makes one for a region and credentials
 * @param secretKey that credentials are sealed with; null where there is none
 */
export function createDestinationStores(
  own: ObjectStore,
  open: (region: string, credentials: S3Credentials) => ObjectStore,
  secretKey: Uint8Array | null,
): DestinationStores {
  const stores = new LRUCache<string, ObjectStore>({ max: STORES_MAX, dispose: (store) => store.close() })
  return {
    of({ datasets, destination }) {
      if (destination === undefined) return own
      const name = JSON.stringify([datasets[0], destination])
      const known = stores.get(name)
      if (known !== undefined) return known
      const plain =
        secretKey && unseal(destination.sealed_credentials, credentialsPurpose(datasets[0] ?? ''), secretKey)
      if (plain === null)
        throw new DependencyError(
          's3',
          'denied',
          'The credentials of this destination cannot be opened: MILLRACE_SECRET_KEY is not the key that they were sealed with.',
        )
      const made = open(destination.region, JSON.parse(plain) as S3Credentials)
      stores.set(name, made)
      return made
    },
    close: () => stores.clear(),
  }
}

/** A store that is looked up anew with every call: what is configured may change meanwhile. */
export function currentStore(now: () => ObjectStore): ObjectStore {
  return {
    putIfAbsent: async (...given) => now().putIfAbsent(...given),
    head: async (...given) => now().head(...given),
    get: async (...given) => now().get(...given),
    download: async (...given) => now().download(...given),
    list: (...given) => now().list(...given),
    delete: async (...given) => now().delete(...given),
    createBucket: async (...given) => now().createBucket(...given),
    close() {},
  }
}
