import type { Clock } from '../core/runtime/clock.ts'
import { createFairShare } from './fair-share.ts'
import { RequestRefusal } from './request-refusal.ts'
import { TokenBucket } from './token-bucket.ts'

/** What one dataset may send to this process; null for no bound. */
export interface Quota {
  readonly eventsPerSecond: number | null
  readonly bytesPerSecond: number | null
}

export interface AdmissionLimits {
  /** Of all datasets together; null for no bound. */
  readonly eventsPerSecondMax: number | null
  /** How long a dataset that was silent may send as fast as it likes: its burst is its quota times this, ms. */
  readonly quotaBurstMs: number
  /** Lag of the event loop past which requests are turned away, ms. */
  readonly loopLagMaxMs: number
}

/**
 * Who is let in when not everybody can be. Events are counted one by one, however they are packed into requests.
 *
 * - A dataset past its quota: 429, whatever room there is.
 * - All together past the capacity: 503, first of all for datasets that get more than their fair share. The lower half
 *   of the burst is kept for the others, so they hardly notice.
 * - The event loop lags: 503, first for the datasets that ask for most, past twice the bound for everybody.
 */
export interface Admission {
  /** Before the body is read. Costs no more than a few numbers. Null lets it in. */
  enter(datasetId: string): RequestRefusal | null
  /** Once it is known what it holds. Null lets it in, and it is counted. */
  charge(datasetId: string, events: number, bytes: number): RequestRefusal | null
}

/** Burst of all together, seconds of the capacity. */
const CAPACITY_BURST_SECONDS = 0.5
/** Share of the newest request in the average number of events of a dataset's requests. */
const NEWEST = 0.1

interface Known {
  readonly quota: Quota
  readonly events: TokenBucket | null
  readonly bytes: TokenBucket | null
  /** On average; what a request that is not read is taken for. */
  eventsPerRequest: number
}

/**
 * @param quotaOf what a dataset may send at the moment; asked for each request
 * @param lagMs how late the event loop is
 */
export function createAdmission(
  limits: AdmissionLimits,
  quotaOf: (datasetId: string) => Quota,
  lagMs: () => number,
  clock: Pick<Clock, 'monotonic'>,
): Admission {
  const datasets = new Map<string, Known>()
  const { eventsPerSecondMax, loopLagMaxMs } = limits
  const burstSeconds = limits.quotaBurstMs / 1000
  const fair = createFairShare(eventsPerSecondMax ?? Number.POSITIVE_INFINITY)
  const capacity =
    eventsPerSecondMax === null
      ? null
      : new TokenBucket(
          eventsPerSecondMax,
          Math.max(1, eventsPerSecondMax * CAPACITY_BURST_SECONDS),
          clock.monotonic(),
        )

  /** Datasets are those of the configuration, so their number is bounded by it. */
  function of(datasetId: string, nowMs: number): Known {
    const quota = quotaOf(datasetId)
    const known = datasets.get(datasetId)
    if (
      known?.quota.eventsPerSecond === quota.eventsPerSecond &&
      known.quota.bytesPerSecond === quota.bytesPerSecond
    )
      return known
    const bucket = (rate: number | null) =>
      rate === null ? null : new TokenBucket(rate, Math.max(1, rate * burstSeconds), nowMs)
    const fresh = {
      quota,
      events: bucket(quota.eventsPerSecond),
      bytes: bucket(quota.bytesPerSecond),
      eventsPerRequest: known?.eventsPerRequest ?? 1,
    }
    datasets.set(datasetId, fresh)
    return fresh
  }

  function refusal(datasetId: string, known: Known, nowMs: number): RequestRefusal | null {
    for (const unit of ['events', 'bytes'] as const) {
      const bucket = known[unit]
      if (bucket !== null && bucket.tokens(nowMs) <= 0) return overQuota(unit, bucket, burstSeconds, nowMs)
    }
    const lag = lagMs()
    if (lag > loopLagMaxMs && (lag > 2 * loopLagMaxMs || fair.isAmongGreatest(datasetId, nowMs))) return BUSY
    if (capacity !== null) {
      const floor = fair.isBelowLevel(datasetId, nowMs) ? 0 : capacity.burst / 2
      if (capacity.tokens(nowMs) <= floor) return FULL
    }
    return null
  }

  return {
    enter(datasetId) {
      const nowMs = clock.monotonic()
      const known = of(datasetId, nowMs)
      const refused = refusal(datasetId, known, nowMs)
      if (refused !== null) fair.asked(datasetId, known.eventsPerRequest, nowMs)
      return refused
    },
    charge(datasetId, events, bytes) {
      const nowMs = clock.monotonic()
      const known = of(datasetId, nowMs)
      known.eventsPerRequest += (events - known.eventsPerRequest) * NEWEST
      fair.asked(datasetId, events, nowMs)
      const refused = refusal(datasetId, known, nowMs)
      if (refused !== null) return refused
      fair.got(datasetId, events, nowMs)
      known.events?.take(events, nowMs)
      known.bytes?.take(bytes, nowMs)
      capacity?.take(events, nowMs)
      return null
    },
  }
}

const FULL = new RequestRefusal(
  'not_taken',
  'More arrives than this process takes; nothing of this request was taken.',
)
const BUSY = new RequestRefusal('not_taken', 'This process is too busy; nothing of this request was taken.')

function overQuota(
  unit: 'events' | 'bytes',
  bucket: TokenBucket,
  burstSeconds: number,
  nowMs: number,
): RequestRefusal {
  const wait = bucket.waitSeconds(nowMs)
  return new RequestRefusal(
    'quota_exceeded',
    `This dataset may send ${bucket.ratePerSecond} ${unit} a second here; nothing of this request was taken.`,
    null,
    {
      'retry-after': String(wait),
      ratelimit: `"${unit}";r=0;t=${wait}`,
      'ratelimit-policy': `"${unit}";q=${Math.floor(bucket.burst)};w=${Math.max(1, Math.round(burstSeconds))}`,
    },
  )
}
