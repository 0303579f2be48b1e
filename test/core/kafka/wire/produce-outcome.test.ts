import { expect, test } from 'vitest'
import { CODES } from '../../../../services/core/kafka/wire/errors.ts'
import { produceOutcome } from '../../../../services/core/kafka/wire/produce-outcome.ts'

const BATCH = { count: 3, isDoubtful: false, isGivenUp: false }
const again = (waitsFor: string, isDoubtful: boolean) => ({ kind: 'again', waitsFor, isDoubtful })

test('a code that nobody knows leaves everything open', () => {
  for (const code of [-1, 9_999, CODES.OUT_OF_ORDER_SEQUENCE, CODES.UNKNOWN_PRODUCER_ID])
    expect(produceOutcome(code, BATCH)).toEqual({ kind: 'unknown' })
})

test('only what may have been stored under a code is in doubt when it is sent again', () => {
  for (const [code, outcome] of [
    [CODES.UNKNOWN_TOPIC_OR_PARTITION, again('leader', false)],
    [CODES.NOT_LEADER_OR_FOLLOWER, again('leader', true)],
    [CODES.CONCURRENT_TRANSACTIONS, again('transaction', false)],
    [CODES.NOT_ENOUGH_REPLICAS, again('broker', false)],
    [CODES.NOT_ENOUGH_REPLICAS_AFTER_APPEND, again('broker', true)],
    [CODES.REQUEST_TIMED_OUT, again('broker', true)],
  ] as const)
    expect(produceOutcome(code, BATCH)).toEqual(outcome)
})

test('what is too large is halved only where nothing of it can be stored and somebody waits for it', () => {
  for (const code of [CODES.MESSAGE_TOO_LARGE, CODES.RECORD_LIST_TOO_LARGE]) {
    expect(produceOutcome(code, BATCH)).toEqual({ kind: 'split' })
    for (const batch of [{ count: 1 }, { isDoubtful: true }, { isGivenUp: true }])
      expect(produceOutcome(code, { ...BATCH, ...batch })).toEqual({ kind: 'refused' })
  }
})

test('a repetition of what is stored is stored, and who may not write is refused', () => {
  expect(produceOutcome(0, BATCH)).toEqual({ kind: 'stored' })
  expect(produceOutcome(CODES.DUPLICATE_SEQUENCE, { ...BATCH, isDoubtful: true })).toEqual({ kind: 'stored' })
  expect(produceOutcome(CODES.TOPIC_AUTHORIZATION_FAILED, BATCH)).toEqual({ kind: 'refused' })
})
