import { join } from 'node:path'
import { systemClock } from '../../services/core/runtime/clock.ts'
import type { StageProcess } from '../helpers/stage-process.ts'
import { openLoop } from './open-loop.ts'
import { BATCH, metric, type OverloadContext } from './overload-context.ts'
import type { Verdict } from './overload-verdict.ts'

const OUTAGE_EVENTS_PER_SECOND = 4_000
const BEFORE_SECONDS = 15
/** An event takes less in the store, so that it is not full before the outage ends. */
const EVENT_BYTES_MAX = 2_000
/** Longer than draining what a full store holds takes. */
const EMPTY_WITHIN_MS = 10 * 60_000

/** The broker is killed under load for so long, and comes back; the collector has a local store. */
export async function outage(context: OverloadContext, verdict: Verdict, seconds: number): Promise<void> {
  const { stage, port } = await context.startCollector({
    MILLRACE_COLLECTOR_STORE_DIR: join(context.stateDir, 'store'),
    MILLRACE_COLLECTOR_STORE_BYTES_MAX: String(
      Math.round(OUTAGE_EVENTS_PER_SECOND * seconds * EVENT_BYTES_MAX),
    ),
  })
  const perSecond = OUTAGE_EVENTS_PER_SECOND / BATCH
  const kept = new Set<number>()
  const memory: number[] = []
  let isAway = false
  const looking = setInterval(
    () =>
      void metric(stage, 'process_resident_memory_bytes').then(
        (bytes) => isAway && memory.push(bytes / 1024 ** 2),
        () => {},
      ),
    1_000,
  )
  const load = openLoop({
    port,
    connections: 256,
    requestsPerSecond: perSecond,
    seconds: BEFORE_SECONDS + seconds + 30,
    request: (n) => context.numberedRequest(n % 5, n),
    groupOf: () => 'all',
    onAnswer: (n, status) => status >= 200 && status < 300 && kept.add(n),
  })
  await systemClock.sleep(BEFORE_SECONDS * 1000)
  await context.killBroker()
  isAway = true
  verdict.say('The broker is killed.')
  await systemClock.sleep(seconds * 1000)
  isAway = false
  const stored = await metric(stage, 'millrace_collector_store_bytes')
  await context.startBroker()
  const backMs = performance.now()
  verdict.say(`The broker is back; ${(stored / 1024 ** 2).toFixed(0)} MiB wait.`)
  await untilStoreIsEmpty(stage)
  const drainSeconds = (performance.now() - backMs) / 1000
  const result = (await load).get('all')!
  clearInterval(looking)
  await untilStoreIsEmpty(stage)
  await stage.stop()
  const third = Math.max(1, Math.floor(memory.length / 3))
  const mean = (list: readonly number[]) => list.reduce((all, one) => all + one, 0) / list.length
  verdict.say(
    `${OUTAGE_EVENTS_PER_SECOND} events/s, the broker away for ${seconds} s; answers ${JSON.stringify(result.statuses)}; p99 ${result.p99Ms.toFixed(0)} ms`,
  )
  verdict.hold(
    'memory through the outage at most 384 MiB',
    `${Math.max(...memory).toFixed(0)} MiB; first third ${mean(memory.slice(0, third)).toFixed(0)}, last third ${mean(memory.slice(-third)).toFixed(0)}`,
    Math.max(...memory) <= 384,
  )
  verdict.hold(
    'every request is answered 200 or 202',
    JSON.stringify(result.statuses),
    (result.statuses[200] ?? 0) + (result.statuses[202] ?? 0) === result.sent,
  )
  verdict.say(`the store was empty ${drainSeconds.toFixed(0)} s after the broker was back`)
  const { missing, repeated } = await compare(context, kept)
  verdict.hold(
    'every answered event is in events.raw',
    `${kept.size * BATCH} answered, ${missing} missing, ${repeated} there twice or more`,
    missing === 0,
  )
}

/** @throws Error when it does not become empty in time */
async function untilStoreIsEmpty(stage: StageProcess): Promise<void> {
  const deadlineMs = performance.now() + EMPTY_WITHIN_MS
  while ((await metric(stage, 'millrace_collector_store_bytes')) !== 0) {
    if (performance.now() > deadlineMs)
      throw new Error(`The store is not empty after ${EMPTY_WITHIN_MS / 1000} s.`)
    await systemClock.sleep(200)
  }
}

/** What was answered against what is there. */
async function compare(
  { log, names }: OverloadContext,
  kept: ReadonlySet<number>,
): Promise<{ missing: number; repeated: number }> {
  const times = new Uint8Array((lastOf(kept) + 1) * BATCH)
  const ranges = await log.admin.offsetRanges(names.raw, 'read_committed')
  const reader = await log.openReader(
    ranges.map(({ topic, partition, start }) => ({ topic, partition, offset: start })),
  )
  while (ranges.some((range) => reader.position(range) < range.end))
    for (const batch of await reader.read(200))
      for (let index = 0; index < batch.length; index++) {
        const id = Number(batch.header(index, 'event_id'))
        if (id < times.length && times[id]! < 255) times[id]!++
      }
  await reader.close()
  let missing = 0
  for (const n of kept)
    for (let index = 0; index < BATCH; index++) if (times[n * BATCH + index] === 0) missing++
  return { missing, repeated: times.reduce((all, count) => all + (count > 1 ? 1 : 0), 0) }
}

function lastOf(numbers: ReadonlySet<number>): number {
  let last = 0
  for (const number of numbers) last = Math.max(last, number)
  return last
}
