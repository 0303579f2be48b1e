import type { History } from './simulate.ts'

/** What to type to see this history again, and what is wrong with it. */
export function replayLine({ seed, verdict, faults }: Omit<History, 'trace'>): string {
  return `make simulate SEED=${seed}  # ${verdict}: ${faults.map((fault) => fault.split('\n')[0]).join(' ')}`
}
