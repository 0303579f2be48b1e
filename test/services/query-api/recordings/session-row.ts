import { NOW_MS } from '../recording-environment.ts'

/** A recorded session of Ann's as ClickHouse tells it, five seconds old and half as long. */
export function sessionRow(id: string, over: Readonly<Record<string, string>> = {}) {
  return {
    id,
    distinct_id: 'ann',
    the_person: 'ann',
    started_ms: String(NOW_MS - 5_000),
    ended_ms: String(NOW_MS - 2_500),
    active_seconds: '2',
    click_count: '3',
    keypress_count: '4',
    console_log_count: '0',
    console_warn_count: '0',
    console_error_count: '1',
    start_url: '',
    ...over,
  }
}
