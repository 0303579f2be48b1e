import { expect, test } from 'vitest'
import { nearestName } from '../../../services/core/control/nearest-name.ts'

const columns = ['browser', 'browser_version', 'event', 'event_time', 'os']

test.each([
  ['brwoser', 'browser'],
  ['Browser', 'browser'],
  ['evnt', 'event'],
  ['eventtime', 'event_time'],
  ['so', 'os'],
])('%s most likely means %s', (typed, meant) => {
  expect(nearestName(typed, columns)).toBe(meant)
})

test('a name that is like none gets no suggestion', () => {
  expect(nearestName('revenue', columns)).toBeNull()
  expect(nearestName('x'.repeat(100_000), columns)).toBeNull()
})
