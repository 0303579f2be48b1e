import type { GroupResult } from './open-loop.ts'

/** What a run says as it goes, and whether every figure is as it must be. */
export class Verdict {
  isRight = true

  say(text: string): void {
    process.stdout.write(`${text}\n`)
  }
  hold(what: string, figure: string, holds: boolean): void {
    this.say(`${holds ? 'ok  ' : 'NOT '} ${what}: ${figure}`)
    if (!holds) this.isRight = false
  }
}

/** Answers of all groups together, by status. */
export function sumStatuses(groups: Iterable<GroupResult>): Record<number, number> {
  const all: Record<number, number> = {}
  for (const { statuses } of groups)
    for (const [status, count] of Object.entries(statuses)) {
      all[Number(status)] = (all[Number(status)] ?? 0) + count
    }
  return all
}

/** The slowest group's. */
export function worstP99(groups: Iterable<GroupResult>): number {
  return Math.max(...[...groups].map(({ p99Ms }) => p99Ms))
}
