import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import {
  demoDashboard,
  funnelWords,
  retentionWords,
  trendWords,
} from '../../../../services/cli/demo/demo-dashboard.ts'
import { INSIGHT_EXAMPLES } from '../../../../services/query-api/insights/insight-examples.ts'
import { NOW_MS, recordingEnvironment } from '../../query-api/recording-environment.ts'

test('answers are told in a line', () => {
  expect(trendWords(INSIGHT_EXAMPLES.trend.answer.result)).toBe('2026-11-20: 5, 2026-11-21: 5, 2026-11-22: 4')
  expect(trendWords([])).toBe('')
  expect(funnelWords(INSIGHT_EXAMPLES.funnel.answer.result)).toBe('product_view 310 → purchase 118')
  expect(retentionWords(INSIGHT_EXAMPLES.retention.answer.result)).toBe('Week 0: 40, 22 after 1; Week 1: 31')
})

test('a dashboard is made through the API, and three of its insights answer', async () => {
  const { app, keys, get } = recordingEnvironment()
  await app.listen({ host: '127.0.0.1', port: 0 })
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  try {
    const api = { url, adminKey: keys.admin, readKey: keys.shopRead }
    const text = await demoDashboard(api, 3, NOW_MS)
    expect(text).toContain('Dashboard 1 (Shop, run 3) was made from the template e-commerce.')
    expect(text).toMatch(/ {2}Buyers: 2026-11-19: 0, .*2026-11-22: 0\n/)
    expect(text).toMatch(/ {2}Way to a purchase: product_view 0 → add_to_cart 0 → purchase 0\n/)
    expect(text).toMatch(/ {2}Returning visitors: Day 3: 0, 0 after 1, /)
    const [, link = ''] = /To look at it: (\S+)\n/.exec(text) ?? []
    const page = await fetch(link)
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(await page.text()).toContain('<h1>Shop, run 3</h1>')
    const asked = [...text.matchAll(/curl '(\S+)' -H 'authorization: Bearer (\S+)'/g)]
    expect(asked).toHaveLength(4)
    // What is printed works as it is, with the key that everybody has.
    for (const [, address = '', key = ''] of asked)
      expect((await get(address.replace(url, ''), key)).statusCode).toBe(200)
    await expect(demoDashboard({ ...api, adminKey: keys.unknown }, 4, NOW_MS)).rejects.toThrow(
      /refused POST \/api\/personal_api_keys/,
    )
  } finally {
    await app.close()
  }
})
