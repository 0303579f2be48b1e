import { expect, test } from 'vitest'
import { parseConsoleLine } from '../../../../services/cli/demo/console-consumer.ts'

test('headers and value are told apart', () => {
  const { headers, value } = parseConsoleLine('event_id:r1-7,dataset_id:shop,src:3:12\t{"a":"b\\tc"}', true)
  expect(Object.fromEntries(headers)).toEqual({ event_id: 'r1-7', dataset_id: 'shop', src: '3:12' })
  expect(value).toBe('{"a":"b\\tc"}')
})

test('a comma or a colon inside a header value does not end it', () => {
  const { headers } = parseConsoleLine('event_id:a,b:c,dataset_id:shop', false)
  expect(headers.get('event_id')).toBe('a,b:c')
  expect(headers.get('dataset_id')).toBe('shop')
})

test('a record without headers has none', () => {
  expect(parseConsoleLine('NO_HEADERS', false).headers.size).toBe(0)
})
