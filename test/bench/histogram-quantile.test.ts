import { expect, test } from 'vitest'
import { createMetrics } from '../../services/core/runtime/metrics.ts'
import { histogramQuantile } from './histogram-quantile.ts'

async function exposed(observed: readonly (readonly [value: number, table: string])[]) {
  const metrics = createMetrics()
  const histogram = metrics.histogram('h_seconds', 'Help.', [1, 2, 4], ['table'])
  for (const [value, table] of observed) histogram.observe(value, { table })
  return metrics.expose()
}

test('of nothing there is no quantile', async () => {
  expect(histogramQuantile(await exposed([]), { name: 'h_seconds' }, 0.5)).toBeNull()
  expect(histogramQuantile('', { name: 'h_seconds' }, 0.5)).toBeNull()
})

test('what is past the last bound counts as the last bound', async () => {
  expect(histogramQuantile(await exposed([[9, 'a']]), { name: 'h_seconds' }, 0.5)).toBe(4)
})

test('observations are spread evenly within their bucket', async () => {
  const text = await exposed([
    [0.5, 'a'],
    [1.5, 'a'],
    [1.6, 'a'],
    [3, 'a'],
  ])
  const at = (share: number) => histogramQuantile(text, { name: 'h_seconds' }, share)
  expect([at(0.25), at(0.5), at(0.75), at(1)]).toEqual([1, 1.5, 2, 4])
})

test('series of other labels count, unless some are asked for', async () => {
  const text = await exposed([
    [0.5, 'a'],
    [3, 'b'],
  ])
  expect(histogramQuantile(text, { name: 'h_seconds' }, 1)).toBe(4)
  expect(histogramQuantile(text, { name: 'h_seconds', labels: { table: 'a' } }, 1)).toBe(1)
})
