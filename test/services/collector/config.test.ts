import { expect, test } from 'vitest'
import { COLLECTOR_SETTINGS, requireRecordRoom } from '../../../services/collector/config.ts'
import { parseSettings } from '../../../services/core/runtime/settings.ts'

const given = (environment: Record<string, string>) => () =>
  requireRecordRoom(parseSettings(COLLECTOR_SETTINGS, environment))

test('settings under which Kafka would refuse an accepted event are refused at start', () => {
  expect(given({ MILLRACE_COLLECTOR_EVENT_BYTES_MAX: '1MB' })).toThrow(
    /MILLRACE_KAFKA_RECORD_BYTES is 1000000/,
  )
  expect(given({ MILLRACE_REJECTED_PAYLOAD_BYTES_MAX: '200KB' })).toThrow(/MILLRACE_KAFKA_RECORD_BYTES/)
  expect(
    given({ MILLRACE_COLLECTOR_EVENT_BYTES_MAX: '1MB', MILLRACE_KAFKA_RECORD_BYTES: '2MB' }),
  ).not.toThrow()
  expect(given({})).not.toThrow()
})
