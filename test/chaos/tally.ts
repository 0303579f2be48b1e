import { type ChaosEvent, chaosEvent, checkOf } from './chaos-events.ts'

/** How often each event was found in one place, one byte by its number. */
export class Tally {
  readonly place: string
  readonly #seed: number
  #counts = new Uint8Array(1 << 16)
  #total = 0
  #end = 0
  /** What lies there and is no event of the run, or not as it was sent. */
  readonly faults: string[] = []
  #faulty = 0

  constructor(place: string, seed: number) {
    this.place = place
    this.#seed = seed
  }

  get total(): number {
    return this.#total
  }

  get faulty(): number {
    return this.#faulty
  }

  /** Greater than every number that was seen. */
  get end(): number {
    return this.#end
  }

  count(seq: number): number {
    return this.#counts[seq] ?? 0
  }

  /**
   * @param properties JSON text of the event's own properties
   * @param where      where it lies, for people
   */
  saw(dataset: string, eventId: string, properties: string, where: string): ChaosEvent | null {
    let found: { seq?: unknown; check?: unknown; amount?: unknown } | null
    try {
      found = JSON.parse(properties)
    } catch {
      return this.#fault(`${dataset}/${eventId} at ${where} has properties that are no JSON`)
    }
    const seq = found?.seq
    if (found === null || typeof seq !== 'number')
      return this.#fault(`${dataset}/${eventId} at ${where} is of no run`)
    const event = chaosEvent(this.#seed, seq)
    if (event.dataset !== dataset || event.eventId !== eventId)
      return this.#fault(
        `${dataset}/${eventId} at ${where} says it is event ${seq}, which is ${event.dataset}/${event.eventId}`,
      )
    if (found.check !== checkOf(this.#seed, event) || found.amount !== event.amount)
      return this.#fault(`event ${seq} at ${where} is not as it was sent`)
    while (seq >= this.#counts.length) {
      const grown = new Uint8Array(this.#counts.length * 2)
      grown.set(this.#counts)
      this.#counts = grown
    }
    this.#counts[seq] = Math.min(255, this.#counts[seq]! + 1)
    this.#total++
    this.#end = Math.max(this.#end, seq + 1)
    return event
  }

  #fault(text: string): null {
    this.#faulty++
    if (this.faults.length < 20) this.faults.push(`${this.place}: ${text}`)
    return null
  }
}
