import { checkText, type DatasetId } from './chaos-events.ts'

/** Recorded sessions of a run: few, for every batch writes an object for each that it has chunks of. */
const SESSIONS = 4

/** Chunks of recordings. Each is a pure function of seed and number, as the events of a run are. */
export interface ChaosChunk {
  readonly number: number
  readonly dataset: DatasetId
  readonly eventId: string
  readonly session: string
}

const prefixOf = (seed: number) => `r${seed}-`

export function chaosChunk(seed: number, number: number): ChaosChunk {
  return {
    number,
    dataset: number % 3 === 0 ? 'blog' : 'shop',
    eventId: `${prefixOf(seed)}${number}`,
    session: `session-${number % SESSIONS}`,
  }
}

/** @returns null for an id of no chunk of the run */
export function chunkOf(seed: number, eventId: string): ChaosChunk | null {
  const number = Number(eventId.slice(prefixOf(seed).length))
  return eventId === `${prefixOf(seed)}${number}` ? chaosChunk(seed, number) : null
}

/** What vouches for the contents of a chunk: no other has it. */
export function chunkCheck(seed: number, { number, eventId }: ChaosChunk): string {
  return checkText(`${seed}/chunk ${number}/${eventId}`)
}

/** As a recorder sends it. */
export function chunkBody(seed: number, chunk: ChaosChunk, nowMs: number): object {
  const href = `https://shop.example/${chunkCheck(seed, chunk)}`
  return {
    event: '$snapshot',
    event_id: chunk.eventId,
    distinct_id: chunk.session,
    properties: {
      $session_id: chunk.session,
      $window_id: chunk.eventId,
      $snapshot_data: [{ type: 4, timestamp: nowMs, data: { href, width: 800, height: 600 } }],
    },
  }
}
