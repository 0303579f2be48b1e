import type { BackfillView } from './backfill-view.ts'
import type { RunView } from './batch-export-view.ts'

const CONFIG = {
  bucket_name: 'acme-lake',
  region: 'eu-central-1',
  prefix: 'events/{year}/{month}/{day}',
  batch_window_size: 3_600,
  file_format: 'Parquet',
}

export const BATCH_EXPORT_EXAMPLE_BODY = {
  name: 'To the lake',
  interval: 'hour',
  filters: [{ key: 'plan', operator: 'exact', value: ['pro'], type: 'event' }],
  destination: {
    type: 'S3',
    config: { ...CONFIG, aws_access_key_id: 'AKIA…', aws_secret_access_key: '…' },
  },
}

export const BATCH_EXPORT_EXAMPLE = {
  id: 1,
  name: 'To the lake',
  destination: { type: 'S3', config: CONFIG },
  interval: 'hour',
  timezone: 'Europe/Berlin',
  interval_offset: 0,
  paused: false,
  mask_pii: false,
  filters: [{ key: 'plan', operator: 'exact', value: ['pro'], type: 'event' }],
  deliveries: ['batch-export-0f3c9a1be2d34c77'],
  latest_error: null,
  created_at: '2026-11-28T09:12:00.000Z',
  created_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
  last_updated_at: '2026-11-28T09:12:00.000Z',
  last_paused_at: null,
  start_at: '2026-11-28T09:00:00.000Z',
  end_at: null,
}

export const RUN_EXAMPLE: RunView = {
  id: '1-1795856400000',
  status: 'Completed',
  records_completed: 18_204,
  bytes_exported: 1_830_220,
  files: 12,
  latest_error: null,
  data_interval_start: '2026-11-28T09:00:00.000Z',
  data_interval_end: '2026-11-28T10:00:00.000Z',
  kind: 'schedule',
  delivery: 'batch-export-0f3c9a1be2d34c77',
  superseded_by: null,
  cursor: '0:120400,1:118733',
  created_at: '2026-11-28T09:12:00.000Z',
  finished_at: '2026-11-28T10:02:11.000Z',
  last_updated_at: '2026-11-28T10:01:04.000Z',
  batch_export: 1,
  records_total_count: 18_204,
}

export const BACKFILL_EXAMPLE: BackfillView = {
  id: 2,
  batch_export: 1,
  delivery: 'batch-export-77aa0b1c5f0c1a9b',
  status: 'waiting',
  start_at: '2026-11-27T00:00:00.000Z',
  end_at: '2026-11-28T00:00:00.000Z',
  runs: 0,
  records_completed: 0,
  bytes_exported: 0,
  files: 0,
  records_total_count: null,
  latest_error: null,
  created_at: '2026-11-28T09:30:00.000Z',
  finished_at: null,
}
