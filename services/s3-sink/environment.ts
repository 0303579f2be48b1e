import type { ControlView } from '../core/control/control-view.ts'
import type { GroupConsumerOptions, Log } from '../core/kafka/log.ts'
import type { KafkaNames } from '../core/kafka/topics.ts'
import type { SigningKey } from '../core/manifest/manifest-signature.ts'
import type { DestinationStores } from '../core/object-store/destination-stores.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import type { Clock } from '../core/runtime/clock.ts'
import type { Health } from '../core/runtime/health.ts'
import type { Logger } from '../core/runtime/logger.ts'
import type { Metrics } from '../core/runtime/metrics.ts'
import type { Disk } from './disk.ts'
import type { TableEncoder } from './table-encoder.ts'

export interface S3SinkEnvironment {
  readonly log: Log
  readonly names: KafkaNames
  readonly control: ControlView
  readonly store: ObjectStore
  /** Of deliveries into buckets of somebody else. */
  readonly destinations: DestinationStores
  readonly disk: Disk
  readonly encoder: TableEncoder
  readonly signingKey: SigningKey
  /** An empty directory that belongs to this process alone. */
  readonly spoolDir: string
  readonly bounds: S3SinkBounds
  readonly group: Pick<GroupConsumerOptions, 'sessionTimeoutMs' | 'pollRecordsMax' | 'prefetchBytesMax'>
  readonly bucketDefault: string
  readonly clock: Clock
  readonly random: () => number
  readonly nonce: () => string
  readonly failPoint: (name: string) => Promise<void> | void
  readonly logger: Logger
  readonly metrics: Metrics
  readonly health: Health
}

export interface S3SinkBounds {
  readonly spoolBytesMax: number
  readonly encodingsMax: number
  readonly pathsMax: number
  readonly queueBytesMax: number
  readonly closeEveryMs: number
}
