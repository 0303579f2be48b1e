import { type History, simulate } from './simulate.ts'

/** What a worker tells of a history: the trace would be too much, and its seed is enough to see it again. */
export type Outcome = Omit<History, 'trace'>

process.on('message', async (seed: number) => {
  const { trace: _, ...outcome } = await simulate(seed)
  process.send?.(outcome)
})
