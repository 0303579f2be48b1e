import { text } from './settings.ts'

/** Where a process keeps what must outlive it and is not in Kafka, S3 or ClickHouse. */
export const STATE_DIR_SETTING = text('MILLRACE_STATE_DIR', {
  default: '.millrace/state',
  doc: 'Directory for what a process keeps between runs.',
})
