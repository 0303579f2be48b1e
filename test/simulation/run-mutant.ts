import { simulate } from './simulate.ts'

/** What became of one mutant, told by a process that runs it. */
export interface Caught {
  /** Histories until the oracle had something to say; null when it never had. */
  readonly seeds: number | null
  /** What it said first. */
  readonly fault: string
  /** Histories before that which ended in a crash of the program, or never. */
  readonly mistakes: number
  readonly stuck: number
}

let [mistakes, stuck] = [0, 0]
let caught: Caught | null = null
const most = Number(process.argv[2])
for (let seed = 1; seed <= most && caught === null; seed++) {
  const { verdict, faults } = await simulate(seed)
  if (verdict === 'oracle') caught = { seeds: seed, fault: faults[0] ?? '', mistakes, stuck }
  if (verdict === 'mistake') mistakes++
  if (verdict === 'stuck') stuck++
}
console.log(JSON.stringify(caught ?? { seeds: null, fault: '', mistakes, stuck }))
