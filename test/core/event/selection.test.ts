import { expect, test } from 'vitest'
import { FilterError } from '../../../services/core/event/filter-expression.ts'
import { compileSelection } from '../../../services/core/event/selection.ts'

test('a fault in the condition is thrown with its place', () => {
  expect(() => compileSelection({ datasets: ['shop'], where: 'evnt = 1' })).toThrow(FilterError)
})

test('the columns of a condition are those of the stream that is asked for', () => {
  expect(() => compileSelection({ datasets: ['shop'], where: "code = 'too_large'" })).toThrow(
    'there is no column "code"',
  )
  const rejected = compileSelection({ datasets: ['shop'], source: 'rejected', where: "code = 'too_large'" })
  expect(rejected.matches({ dataset_id: 'shop', event: null, code: 'too_large' })).toBe(true)
})

test('without a condition the headers alone decide', () => {
  const selection = compileSelection({ datasets: ['shop', 'blog'], events: ['purchase'] })
  expect(selection.needsBody).toBe(false)
  expect(selection.matchesHeaders('shop', 'purchase')).toBe(true)
  expect(selection.matchesHeaders('shop', 'view')).toBe(false)
  expect(selection.matchesHeaders('shop', null)).toBe(false)
  expect(selection.matchesHeaders('shop2', 'purchase')).toBe(false)
  expect(selection.matchesHeaders(null, 'purchase')).toBe(false)
})

test('without event names every event of the datasets is asked for, also one without a name', () => {
  const selection = compileSelection({ datasets: ['shop'] })
  expect(selection.matchesHeaders('shop', null)).toBe(true)
  expect(selection.matches({ dataset_id: 'shop', event: 'any' })).toBe(true)
  expect(selection.matches({ event: 'any' })).toBe(false)
})

test('names that are left out are left out whatever else is asked', () => {
  const selection = compileSelection({ datasets: ['shop'], events: ['a', 'b'], exclude_events: ['b', 'c'] })
  expect(['a', 'b', 'c'].filter((event) => selection.matchesHeaders('shop', event))).toEqual(['a'])
  const all = compileSelection({ datasets: ['shop'], exclude_events: ['b'] })
  expect(['a', 'b', null].filter((event) => all.matchesHeaders('shop', event))).toEqual(['a', null])
  expect(all.matches({ dataset_id: 'shop', event: 'b' })).toBe(false)
})

test('a condition is asked on top of dataset and name', () => {
  const selection = compileSelection({
    datasets: ['shop'],
    events: ['purchase'],
    where: 'properties.total >= 100',
  })
  const event = { dataset_id: 'shop', event: 'purchase', properties: { total: 100 } }
  expect(selection.needsBody).toBe(true)
  expect(selection.matches(event)).toBe(true)
  expect(selection.matches({ ...event, event: 'view' })).toBe(false)
  expect(selection.matches({ ...event, dataset_id: 'blog' })).toBe(false)
  expect(selection.matches({ ...event, properties: { total: 99 } })).toBe(false)
})
