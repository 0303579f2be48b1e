import { expect, test } from 'vitest'
import { bodyOf, chaosEvent, checkOf, EARLIER } from './chaos-events.ts'
import { ChaosLedger, FATE } from './ledger.ts'
import { Tally } from './tally.ts'

const SEED = 7
const seqOfKind = (wanted: string) => {
  for (let seq = EARLIER; ; seq++) if (chaosEvent(SEED, seq).kind === wanted) return seq
}
const propertiesOf = (seq: number) => {
  const event = chaosEvent(SEED, seq)
  return { seq, check: checkOf(SEED, event), amount: event.amount }
}

test('an event follows from seed and number, and its kind decides whose id it has', () => {
  expect(chaosEvent(SEED, 5)).toEqual(chaosEvent(SEED, 5))
  expect(chaosEvent(SEED + 1, 5)).not.toEqual(chaosEvent(SEED, 5))
  const conflict = chaosEvent(SEED, seqOfKind('conflict'))
  const earlier = chaosEvent(SEED, conflict.seq - EARLIER)
  expect([conflict.dataset, conflict.eventId, conflict.distinctId]).toEqual([
    earlier.dataset,
    earlier.eventId,
    earlier.distinctId,
  ])
  const foreign = chaosEvent(SEED, seqOfKind('foreign'))
  const other = chaosEvent(SEED, foreign.seq - EARLIER)
  expect(foreign.eventId).toBe(other.eventId)
  expect(foreign.dataset).not.toBe(other.dataset)
  expect(bodyOf(SEED, chaosEvent(SEED, seqOfKind('broken')), 0)).not.toHaveProperty('event')
})

test('a tally notices what is no event, another event, and an event that was changed', () => {
  const tally = new Tally('somewhere', SEED)
  const { dataset, eventId } = chaosEvent(SEED, 3)
  tally.saw(dataset, eventId, JSON.stringify(propertiesOf(3)), 'here')
  tally.saw(dataset, eventId, JSON.stringify(propertiesOf(3)), 'here again')
  expect([tally.count(3), tally.total, tally.faulty]).toEqual([2, 2, 0])
  tally.saw(dataset, eventId, 'no JSON', 'there')
  tally.saw(dataset, eventId, '{}', 'there')
  tally.saw(dataset, 'another id', JSON.stringify(propertiesOf(3)), 'there')
  tally.saw(dataset, eventId, JSON.stringify({ ...propertiesOf(3), amount: -1 }), 'there')
  expect(tally.faults.map((fault) => fault.replace(/.* (has|is|says) /, '$1 '))).toHaveLength(4)
  expect([tally.count(3), tally.faulty]).toEqual([2, 4])
})

test('a ledger keeps every fate through growth and through its file', () => {
  const ledger = new ChaosLedger(new Uint8Array(2))
  ledger.book(0, FATE.acked)
  ledger.book(9, FATE.unknown)
  expect([ledger.fate(0), ledger.fate(5), ledger.fate(9), ledger.fate(99)]).toEqual([
    FATE.acked,
    FATE.unsent,
    FATE.unknown,
    FATE.unsent,
  ])
  expect(ledger.count(FATE.unknown)).toBe(1)
})
