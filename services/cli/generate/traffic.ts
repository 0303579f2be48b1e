import { BROKEN_KIND_NAMES, BROKEN_KINDS } from './broken-event.ts'
import { type Person, personOf } from './person.ts'
import { createRandom, type Random } from './random.ts'
import { visitEvents } from './visit-events.ts'
import type { Profile } from './visit-script.ts'

/** What decides the traffic: the same options give the same requests, byte for byte. */
export interface TrafficOptions {
  readonly seed: number
  /** Part of every id and, as milliseconds, of every time: another run is other events by the same people. */
  readonly run: number
  /** The traffic ends here, epoch milliseconds. */
  readonly untilMs: number
  /** How long before `untilMs` it starts, milliseconds. */
  readonly spanMs: number
  /** People per dataset. */
  readonly users: number
  /** Events in all, broken ones included. */
  readonly events: number
  readonly batchEvents: number
  readonly datasets: readonly { readonly id: string; readonly profile: Profile }[]
  /** Shares from 0 to 1: broken events, bot visits, people with a wrong clock, requests sent twice. */
  readonly brokenShare: number
  readonly botShare: number
  readonly skewedShare: number
  readonly repeatedShare: number
}

/** One request of the native protocol, ready to send. */
export interface TrafficRequest {
  readonly dataset: string
  readonly body: string
  readonly idempotencyKey: string
  readonly events: number
  /** Distinct event ids in it, those of the server left out. */
  readonly ids: number
  /** How many of its events the pipeline must refuse, by code. */
  readonly expectedRejected: Readonly<Record<string, number>>
  /** The client does not see the answer and sends the whole request again. */
  readonly sendTwice: boolean
}

/** Nobody is still on the site when the traffic ends: visits start at least this long before. */
const LAST_VISIT_MS = 1_800_000

/**
 * The traffic as requests. Each holds events of one dataset from clients whose clocks are wrong by the same amount,
 * because `sent_at` is said once per request. One person's events keep their order.
 */
export function* trafficRequests(options: TrafficOptions): Generator<TrafficRequest, void, undefined> {
  const { datasets, seed, run, untilMs } = options
  const random = createRandom(seed, run, untilMs, 'traffic')
  const sites = datasets.map((dataset) => createSite(options, dataset.id, dataset.profile))
  let made = 0
  while (made < options.events) {
    const site = random.pick(sites)
    const progress = made / options.events
    for (const event of site.visit(random, progress)) {
      const full = site.add(event, random)
      made++
      if (full) yield full
      if (made >= options.events) break
    }
  }
  for (const site of sites) yield* site.rest(random)
}

/** Events that come again under their id with another payload, as a share of the broken ones. */
const CONFLICT_SHARE = 0.1

interface SiteEvent {
  readonly json: string
  readonly clockErrorMs: number
  readonly broken: string | null
  /** Whether it brings an id that no event before it had. */
  readonly bringsId: boolean
}

interface Lane {
  readonly clockErrorMs: number
  json: string[]
  ids: number
  expectedRejected: Record<string, number>
}

function createSite(options: TrafficOptions, dataset: string, profile: Profile) {
  const { seed, run, untilMs, spanMs, users } = options
  const idPrefix = createRandom(seed, run, untilMs, dataset, 'ids').hex().slice(0, 16)
  const people = new Map<number, Person>()
  const seen = new Map<number, { visits: number; firstSeenMs: number }>()
  const lanes = new Map<number, Lane>()
  let eventNumber = 0
  let requestNumber = 0

  function* visit(random: Random, progress: number): Generator<SiteEvent> {
    // Squaring makes a few people come often and most of them seldom.
    const index = Math.floor(random.next() ** 2 * users)
    let person = people.get(index)
    if (person === undefined) {
      person = personOf(seed, dataset, index, options.skewedShare)
      people.set(index, person)
    }
    const latest = untilMs - Math.min(LAST_VISIT_MS, spanMs / 2)
    const startMs = Math.round(untilMs - spanMs + (latest - (untilMs - spanMs)) * progress) + (run % 1000)
    const history = seen.get(index) ?? { visits: 0, firstSeenMs: startMs }
    history.visits++
    seen.set(index, history)
    const isBot = random.chance(options.botShare)
    const plan = {
      profile,
      person,
      isBot,
      startMs,
      untilMs,
      index: history.visits,
      firstSeenMs: history.firstSeenMs,
    }
    const clockErrorMs = isBot ? 0 : person.clockErrorMs
    for (const event of visitEvents(plan, random)) {
      const whole = { event_id: `${idPrefix}-${(eventNumber++).toString(36)}`, ...event }
      if (random.chance(options.brokenShare)) {
        const broken = BROKEN_KINDS[random.pick(BROKEN_KIND_NAMES)]!(whole)
        const bringsId = typeof broken.value === 'object'
        yield { json: JSON.stringify(broken.value), clockErrorMs, broken: broken.expectedCode, bringsId }
      } else {
        yield { json: JSON.stringify(whole), clockErrorMs, broken: null, bringsId: true }
        if (random.chance(options.brokenShare * CONFLICT_SHARE)) {
          const other = { ...whole, properties: { ...whole.properties, amended: true } }
          yield { json: JSON.stringify(other), clockErrorMs, broken: 'id_conflict', bringsId: false }
        }
      }
    }
  }

  function close(lane: Lane, random: Random): TrafficRequest {
    lanes.delete(lane.clockErrorMs)
    const sentAt =
      lane.clockErrorMs === 0 ? '' : `,"sent_at":"${new Date(untilMs + lane.clockErrorMs).toISOString()}"`
    return {
      dataset,
      body: `{"batch":[${lane.json.join(',')}]${sentAt}}`,
      idempotencyKey: `${idPrefix}-r${(requestNumber++).toString(36)}`,
      events: lane.json.length,
      ids: lane.ids,
      expectedRejected: lane.expectedRejected,
      sendTwice: random.chance(options.repeatedShare),
    }
  }

  return {
    visit,
    /** Puts an event into its lane; returns the request when that made it full. */
    add(event: SiteEvent, random: Random): TrafficRequest | null {
      let lane = lanes.get(event.clockErrorMs)
      if (lane === undefined) {
        lane = { clockErrorMs: event.clockErrorMs, json: [], ids: 0, expectedRejected: {} }
        lanes.set(event.clockErrorMs, lane)
      }
      lane.json.push(event.json)
      if (event.bringsId) lane.ids++
      if (event.broken) lane.expectedRejected[event.broken] = (lane.expectedRejected[event.broken] ?? 0) + 1
      return lane.json.length >= options.batchEvents ? close(lane, random) : null
    },
    *rest(random: Random): Generator<TrafficRequest> {
      for (const lane of [...lanes.values()]) yield close(lane, random)
    },
  }
}
