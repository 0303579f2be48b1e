import { KAFKA_SETTINGS } from '../core/kafka/kafka-settings.ts'
import { FAIL_POINT_SETTING } from '../core/runtime/fail-points.ts'
import { duration, integer, type Settings } from '../core/runtime/settings.ts'

export const ROUTER_SETTINGS = {
  ...KAFKA_SETTINGS,
  batchRecordsMax: integer('MILLRACE_ROUTER_BATCH_RECORDS', {
    default: '2000',
    min: 1,
    max: 100_000,
    doc: 'Records of events.enriched in one transaction at most.',
  }),
  transactionTimeoutMs: duration('MILLRACE_ROUTER_TRANSACTION_TIMEOUT', {
    default: '60s',
    doc: 'After this the broker aborts a transaction of the router that does not end.',
  }),
  slowCommitMs: duration('MILLRACE_ROUTER_SLOW_COMMIT', {
    default: '5s',
    doc: 'How long a transaction may take before the subscribers’ topics are asked whether they still answer.',
  }),
  ownLanesMax: integer('MILLRACE_ROUTER_OWN_LANES', {
    default: '16',
    min: 1,
    max: 1_000,
    doc: 'Subscriptions with a lane of their own, per partition, that one process tries at a time; others wait.',
  }),
  retryDelayMaxMs: duration('MILLRACE_ROUTER_RETRY_DELAY_MAX', {
    default: '30s',
    doc: 'Longest pause between two tries to serve a subscription whose topic does not work.',
  }),
  joinTimeoutMs: duration('MILLRACE_ROUTER_JOIN_TIMEOUT', {
    default: '2s',
    doc: 'How long the shared lane waits at most for a subscription that has nearly caught up with it.',
  }),
  failPoint: FAIL_POINT_SETTING,
} as const

export type RouterSettings = Settings<typeof ROUTER_SETTINGS>
