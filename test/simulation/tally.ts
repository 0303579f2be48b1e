/** What happened in a history, or in many: to know that faults bit and that what guards against them was needed. */
export interface Tally {
  /** Processes that died. */
  crashes: number
  /** Processes that stood still. */
  pauses: number
  /** Members that their group gave up on while they worked. */
  forgotten: number
  /** Processes that their coordinators did not hear for a while. */
  cutOff: number
  /** Groups whose positions expired while none of their members was there. */
  expired: number
  /** Requests that did not arrive. */
  lost: number
  /** Requests that were carried out and whose answer did not arrive. */
  lostAnswers: number
  /** Ends of transactions and commits of positions that arrived long after they were given up. */
  lateCommits: number
  /** Open plans that the next owner carried out. */
  replays: number
  /** Sinks that held ranges which their group's position did not know of. */
  adopted: number
  /** Owners that were told that somebody else took over. */
  fenced: number
  /** Repeated events that were removed. */
  duplicates: number
  /** Events refused because another payload has their id. */
  conflicts: number
}

export function createTally(): Tally {
  return {
    crashes: 0,
    pauses: 0,
    forgotten: 0,
    cutOff: 0,
    expired: 0,
    lost: 0,
    lostAnswers: 0,
    lateCommits: 0,
    replays: 0,
    adopted: 0,
    fenced: 0,
    duplicates: 0,
    conflicts: 0,
  }
}

export const TALLIED = Object.keys(createTally()) as readonly (keyof Tally)[]

export function addTally(sum: Tally, more: Readonly<Tally>): void {
  for (const name of TALLIED) sum[name] += more[name]
}

/** By the sentence with which a stage tells of it. */
export const TOLD: Readonly<Record<string, keyof Tally>> = {
  'Replaying an open plan.': 'replays',
  'Resuming from the sink.': 'adopted',
  'A partition was taken over by another process.': 'fenced',
}

/** For people. */
export const TALLY_TEXTS: Readonly<Record<keyof Tally, string>> = {
  crashes: 'processes that died',
  pauses: 'processes that stood still',
  forgotten: 'processes that their groups gave up on while they worked',
  cutOff: 'processes that were cut off from coordinators',
  expired: 'positions of groups that expired',
  lost: 'requests that did not arrive',
  lostAnswers: 'answers that did not arrive',
  lateCommits: 'commits that arrived after they were given up',
  replays: 'open plans carried out by the next owner',
  adopted: 'positions taken from what a sink held',
  fenced: 'owners told that another one took over',
  duplicates: 'repeated events removed',
  conflicts: 'events refused because their id was taken',
}
