import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeCommitted,
  encodePlan,
  encodeProgress,
  METADATA_BYTES_MAX,
  type Plan,
} from '../../../services/core/stream/planned-plan.ts'

const hex64 = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 64, maxLength: 64 })
const whole = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const plans: fc.Arbitrary<Plan> = fc.record({
  start: whole,
  end: whole,
  nonce: fc.string({ unit: 'grapheme-ascii', maxLength: 16 }),
  topicId: fc.string({ unit: 'grapheme-ascii', maxLength: 22 }),
  rows: whole,
  digest: hex64,
  src: whole,
  landed: whole,
  srcBefore: whole,
  landedBefore: whole,
  carry: hex64,
  config: hex64,
  settings: hex64,
  controlOffset: whole,
})

test('damaged, foreign and newer metadata is refused, never guessed at', () => {
  const text = encodeProgress({ offset: 5, src: 4, landed: 3, carry: 'x' })
  for (const wrong of [text.slice(1), `${text} `, text.replace('"src":4', '"src":5'), 'NONE', '{}'])
    expect(() => decodeCommitted(5, wrong)).toThrow(/metadata committed with offset 5/)
})

test('a position without metadata, as other tools leave it, is a position', () => {
  expect(decodeCommitted(5, '')).toEqual({
    kind: 'done',
    progress: { offset: 5, src: -1, landed: 0, carry: '' },
  })
})

test('ids that do not fit in offset metadata are our bug and say so', () => {
  const progress = { offset: 5, src: 4, landed: 3, carry: 'x'.repeat(1024) }
  expect(() => encodeProgress(progress)).toThrow(/at most 1024/)
})

test('plans and progress come back as they were and fit into offset metadata', () => {
  fc.assert(
    fc.property(plans, (plan) => {
      const text = encodePlan(plan)
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(METADATA_BYTES_MAX)
      expect(decodeCommitted(plan.start, text)).toEqual({ kind: 'plan', plan })
      const progress = { offset: plan.end, src: plan.src, landed: plan.landed, carry: plan.carry }
      expect(decodeCommitted(plan.end, encodeProgress(progress))).toEqual({ kind: 'done', progress })
    }),
  )
})
