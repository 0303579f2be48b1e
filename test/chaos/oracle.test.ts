import { expect, test } from 'vitest'
import { bodyOf, chaosEvent, checkOf, EARLIER } from './chaos-events.ts'
import { comparePlace } from './compare-place.ts'
import { ChaosLedger, FATE } from './ledger.ts'
import { receiptFaults } from './receipt-faults.ts'
import { Tally } from './tally.ts'
import { isBalanced, type Verdict } from './verdict.ts'

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

test('a place is told of for what is missing, doubled, uncalled for and spoilt, and for nothing else', () => {
  const tally = new Tally('somewhere', SEED)
  const see = (seq: number) => {
    const { dataset, eventId } = chaosEvent(SEED, seq)
    tally.saw(dataset, eventId, JSON.stringify(propertiesOf(seq)), 'here')
  }
  // 0 is right, 1 missing, 2 doubled, 3 uncalled for; 4 and 5 may or may not be there, 6 not twice; 8 was never sent.
  const expected = [1, 1, 1, 0, 'unknown', 'unknown', 'unknown', 0] as const
  for (const seq of [0, 2, 2, 3, 4, 6, 6, 8]) see(seq)
  tally.saw('shop', 'nothing of ours', '{}', 'there')
  const { verdict, faults } = comparePlace(tally, SEED, 8, ({ seq }) => expected[seq]!)
  expect(verdict).toEqual({
    place: 'somewhere',
    found: 8,
    lost: 1,
    doubled: 2,
    spurious: 2,
    corrupted: 1,
  })
  expect(
    faults.map((fault) => /event (\d) .* (is|must)|(is of no run)/.exec(fault)?.slice(1, 2)[0] ?? 'odd'),
  ).toEqual(['odd', '1', '2', '3', '6', '8'])
})

test('a place with more faults than anybody reads names the first and counts them all', () => {
  const { verdict, faults } = comparePlace(new Tally('nowhere', SEED), SEED, 1_000, () => 1)
  expect([verdict.lost, faults.length]).toEqual([1_000, 20])
})

test('a raw offset in no receipt or in two is told, and one that does not add up', () => {
  const range = [{ partition: 3, start: 5, end: 20 }]
  const receipt = (from: number, to: number, enriched = to - from + 1) => ({
    ...{ partition: 3, from, to, enriched, rejected: 0, duplicate: 0, control: 0 },
  })
  expect(receiptFaults(range, [receipt(10, 19), receipt(5, 9)]).faults).toEqual([])
  expect(receiptFaults(range, [receipt(5, 9), receipt(11, 19)]).faults).toHaveLength(1)
  expect(receiptFaults(range, [receipt(5, 9), receipt(9, 19)]).faults).toHaveLength(1)
  expect(receiptFaults(range, [receipt(5, 9), receipt(10, 19, 9)]).faults).toHaveLength(1)
  expect(receiptFaults(range, [receipt(5, 18)]).faults).toHaveLength(1)
  expect(receiptFaults(range, []).faults).toHaveLength(1)
  const removed = { ...receipt(5, 19, 12), duplicate: 3 }
  expect(receiptFaults(range, [removed])).toEqual({ faults: [], duplicates: 3 })
})

test('a run in which nothing was acknowledged is not called balanced', () => {
  const verdict = { acknowledged: 1, faults: [] as string[] } as unknown as Verdict
  expect(isBalanced(verdict)).toBe(true)
  expect(isBalanced({ ...verdict, acknowledged: 0 })).toBe(false)
  expect(isBalanced({ ...verdict, faults: ['a'] })).toBe(false)
})
