import { expect, test } from 'vitest'
import { funnelWords, retentionWords, trendWords } from '../../../../services/cli/demo/demo-dashboard.ts'
import { INSIGHT_EXAMPLES, TREND_EXAMPLE } from '../../../../services/query-api/insights/insight-examples.ts'

test('answers are told in a line', () => {
  expect(trendWords(TREND_EXAMPLE.answer.result)).toBe('2026-11-20: 5, 2026-11-21: 5, 2026-11-22: 4')
  expect(trendWords([])).toBe('')
  expect(funnelWords(INSIGHT_EXAMPLES.funnel.answer.result)).toBe('product_view 310 → purchase 118')
  expect(retentionWords(INSIGHT_EXAMPLES.retention.answer.result)).toBe('Week 0: 40, 22 after 1; Week 1: 31')
})
