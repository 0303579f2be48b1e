import { expect, test } from 'vitest'
import { replayLine } from './replay-line.ts'
import { simulate } from './simulate.ts'
import { addTally, createTally } from './tally.ts'

/** Histories per test, so that what takes long shows where. */
const PER_TEST = 15

/** One file's share of the seeds: every promise is kept, and the faults bit. */
export function testHistories(from: number, to: number): void {
  const tally = createTally()
  for (let first = from; first <= to; first += PER_TEST) {
    const last = Math.min(to, first + PER_TEST - 1)
    test(`nothing is lost and nothing comes twice in the histories of seeds ${first} to ${last}`, async () => {
      const failed: string[] = []
      for (let seed = first; seed <= last; seed++) {
        const history = await simulate(seed)
        addTally(tally, history.tally)
        if (history.verdict !== 'kept') failed.push(replayLine(history))
      }
      expect(failed).toEqual([])
    })
  }
  test(`in the histories of seeds ${from} to ${to} every fault bit, and every guard was needed`, () => {
    const never = Object.entries(tally).filter(([, times]) => times === 0)
    expect(never).toEqual([])
  })
}
