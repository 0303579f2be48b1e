import { parseArgs } from 'node:util'
import { type OpenLoopOptions, openLoop } from './open-loop.ts'
import { BATCH, DATASETS, metric, openOverloadContext } from './overload-context.ts'
import { neighbour } from './overload-neighbour.ts'
import { outage } from './overload-outage.ts'
import { sumStatuses, Verdict, worstP99 } from './overload-verdict.ts'

/**
 * `make overload [MODE=overload|neighbour|outage] [MINUTES=1] [CAPACITY=…]`: one collector on a real broker, loaded
 * without regard to how it answers. Without CAPACITY, a tenth of the peak that is measured first, so that the load
 * fits on the machine beside it.
 *
 * - overload: ten times the capacity, from five datasets alike
 * - neighbour: ten small datasets, at first alone, then beside one that sends nine tenths of everything
 * - outage: the broker is killed under load for the minutes given, and comes back; the collector has a local store
 */
const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'overload' },
    minutes: { type: 'string', default: '1' },
    capacity: { type: 'string', default: '' },
  },
})
const seconds = Number(values.minutes) * 60
const CONNECTIONS = 64
const PEAK_STEP_SECONDS = 5
/** Before anything counts, code is compiled and connections are made. */
const WARM_UP_SECONDS = 5

const verdict = new Verdict()
const context = await openOverloadContext()

/** Requests of five datasets in turn. */
const fiveAlike: Pick<OpenLoopOptions, 'request' | 'groupOf'> = {
  request: (n) => context.plainRequest(n % 5, n),
  groupOf: (n) => DATASETS[n % 5]!,
}

/** Events a second that it takes when it is asked for more than that. */
async function measurePeak(): Promise<number> {
  const { stage, port } = await context.startCollector()
  let rate = 500
  for (;;) {
    const groups = await openLoop({
      port,
      connections: CONNECTIONS,
      requestsPerSecond: rate,
      seconds: PEAK_STEP_SECONDS,
      ...fiveAlike,
    })
    const worst = worstP99(groups.values())
    verdict.say(`  ${rate * BATCH} events/s: p99 ${worst.toFixed(0)} ms`)
    // Requests begin to line up: what is sent now is more than what is answered.
    if (!(worst <= 500) || rate > 8_000) break
    rate = Math.round(rate * 1.3)
  }
  await stage.stop()
  return Math.round((rate / 1.3) * BATCH)
}

/** CPU seconds of this process, which is the load. */
function ownCpu(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

async function overload(capacity: number): Promise<void> {
  const { stage, port } = await context.startCollector({
    MILLRACE_COLLECTOR_EVENTS_PER_SECOND_MAX: String(capacity),
  })
  const load = (howLong: number) =>
    openLoop({
      port,
      connections: CONNECTIONS,
      requestsPerSecond: (capacity * 10) / BATCH,
      seconds: howLong,
      ...fiveAlike,
    })
  await load(WARM_UP_SECONDS)
  const lags: number[] = []
  const looking = setInterval(
    () =>
      void metric(stage, 'nodejs_eventloop_lag_p99_seconds').then(
        (lag) => lags.push(lag * 1000),
        () => {},
      ),
    1_000,
  )
  const [cpu, collectorCpu, startedMs] = [ownCpu(), (await stage.usage()).cpuSeconds, performance.now()]
  const groups = await load(seconds)
  clearInterval(looking)
  const elapsed = (performance.now() - startedMs) / 1000
  const usage = await stage.usage()
  const statuses = sumStatuses(groups.values())
  const goodput = ((statuses[200] ?? 0) * BATCH) / seconds
  const p99 = worstP99(groups.values())
  verdict.say(`capacity ${capacity} events/s, offered ${capacity * 10}; answers ${JSON.stringify(statuses)}`)
  verdict.say(
    `the load took ${((100 * (ownCpu() - cpu)) / elapsed).toFixed(0)} % of a core, the collector ${((100 * (usage.cpuSeconds - collectorCpu)) / elapsed).toFixed(0)} %`,
  )
  verdict.hold(
    'goodput at least 80 % of the capacity',
    `${goodput.toFixed(0)}/s, ${((100 * goodput) / capacity).toFixed(0)} %`,
    goodput >= 0.8 * capacity,
  )
  verdict.hold('p99 of accepted at most 250 ms', `${p99.toFixed(0)} ms`, p99 <= 250)
  verdict.hold(
    'only 429 and 503 beside 200',
    Object.keys(statuses).join(', '),
    Object.keys(statuses).every((status) => ['200', '429', '503'].includes(status)),
  )
  verdict.hold('memory at most 384 MiB', `${usage.peakRssMiB.toFixed(0)} MiB`, usage.peakRssMiB <= 384)
  // Each look is the 99th percentile of the time since the one before.
  const lag = lags.sort((a, b) => a - b)[Math.floor(lags.length * 0.99)] ?? 0
  verdict.hold('event loop lag p99 at most 50 ms', `${lag.toFixed(0)} ms`, lag <= 50)
  await stage.stop()
}

try {
  if (values.mode === 'outage') await outage(context, verdict, seconds)
  else {
    const capacity = values.capacity === '' ? Math.round((await measurePeak()) / 10) : Number(values.capacity)
    if (values.mode === 'overload') await overload(capacity)
    else if (values.mode === 'neighbour') await neighbour(context, verdict, { capacity, seconds })
    else throw new Error(`There is no mode ${values.mode}.`)
  }
} finally {
  await context.close()
}
process.exit(verdict.isRight ? 0 : 1)
