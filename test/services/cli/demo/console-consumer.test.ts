import { expect, test } from 'vitest'
import { parseConsoleLine } from '../../../../services/cli/demo/console-consumer.ts'

test('headers and value are told apart', () => {
  const { partition, offset, headers, value } = parseConsoleLine(
    Buffer.from('Partition:3\tOffset:12\tevent_id:r1-7,dataset_id:shop,src:3:12\t{"a":"b\\tc"}'),
    true,
  )
  expect([partition, offset]).toEqual([3, 12])
  expect(Object.fromEntries(headers)).toEqual({ event_id: 'r1-7', dataset_id: 'shop', src: '3:12' })
  expect(value?.toString()).toBe('{"a":"b\\tc"}')
})

test('a comma or a colon inside a header value does not end it', () => {
  const { headers } = parseConsoleLine(
    Buffer.from('Partition:3\tOffset:12\tevent_id:a,b:c,dataset_id:shop'),
    false,
  )
  expect(headers.get('event_id')).toBe('a,b:c')
  expect(headers.get('dataset_id')).toBe('shop')
})

test('a record without headers has none', () => {
  expect(parseConsoleLine(Buffer.from('Partition:0\tOffset:0\tNO_HEADERS'), false).headers.size).toBe(0)
})

test('a line that is no record is an error, not a record less', () => {
  expect(() => parseConsoleLine(Buffer.from('Exception in thread "main"'), false)).toThrow(
    'what is no record',
  )
})
