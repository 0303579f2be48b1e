import { expect, test } from 'vitest'
import { familyBehaviour } from '../objects/family-behaviour.ts'
import { recordingEnvironment } from '../recording-environment.ts'

familyBehaviour({
  tag: 'kpis',
  object: 'kpi',
  before: ['insights', { name: 'Buyers' }],
  least: { name: 'Buyers', insight: 1 },
  absent: { kpi_row: 0, order: 0, trend: 'up' },
  whole: { name: 'Buyers "now" 🙂', insight: 1, kpi_row: 2, order: 3, trend: 'down' },
  change: { name: 'Changed' },
  wrong: [
    [{ name: undefined }, 'name', 'required'],
    [{ name: '' }, 'name', 'blank'],
    [{ insight: undefined }, 'insight', 'required'],
    [{ insight: 'buyers' }, 'insight', 'invalid_input'],
    [{ insight: 9 }, 'insight', 'does_not_exist'],
    [{ kpi_row: -1 }, 'kpi_row', 'invalid_input'],
    [{ order: 1.5 }, 'order', 'invalid_input'],
    [{ trend: 'sideways' }, 'trend', 'invalid_input'],
    [{ updated_by: 'me' }, 'updated_by', 'invalid_input'],
  ],
})

test('the list is in rows and places, or in the order that is asked for', async () => {
  const { send, personalKey, keys } = recordingEnvironment()
  const key = await personalKey(['kpi:write', 'insight:write'])
  const path = '/api/datasets/shop/kpis'
  for (const name of ['a', 'b']) await send('POST', '/api/datasets/shop/insights', key, { name })
  for (const [name, kpi_row, order, insight] of [
    ['C', 1, 0, 1],
    ['a', 0, 2, 2],
    ['B', 0, 1, 1],
  ])
    await send('POST', path, key, { name, kpi_row, order, insight })
  const names = async (query: string) =>
    (await send('GET', `${path}?${query}`, keys.shopRead)).body.results.map(
      ({ name }: { name: string }) => name,
    )
  expect(await names('')).toEqual(['B', 'a', 'C'])
  expect(await names('ordering=-order')).toEqual(['C', 'a', 'B'])
  expect(await names('ordering=name')).toEqual(['a', 'B', 'C'])
  expect(await names('ordering=-created_at')).toEqual(['B', 'a', 'C'])
  expect(await names('insight=1')).toEqual(['B', 'C'])
  for (const wrong of ['ordering=constructor', 'insight=x'])
    expect((await send('GET', `${path}?${wrong}`, keys.shopRead)).status).toBe(400)
  const { body } = await send('GET', `${path}/1/activity`, keys.shopRead)
  expect(body.results).toMatchObject([{ activity: 'created', scope: 'kpi', detail: { name: 'C' } }])
})

test('an insight of another dataset is none', async () => {
  const { send, personalKey } = recordingEnvironment()
  const key = await personalKey(['*'], ['shop', 'blog'])
  await send('POST', '/api/datasets/blog/insights', key, { name: 'theirs' })
  const refused = await send('POST', '/api/datasets/shop/kpis', key, { name: 'a', insight: 1 })
  expect([refused.status, refused.body.attr]).toEqual([400, 'insight'])
})
