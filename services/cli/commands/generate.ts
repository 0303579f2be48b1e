import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { systemClock } from '../../core/runtime/clock.ts'
import { createLedger, type Ledger } from '../generate/ledger.ts'
import { sendTraffic } from '../generate/send-traffic.ts'
import { type TrafficOptions, trafficRequests } from '../generate/traffic.ts'
import { PROFILES, type Profile } from '../generate/visit-script.ts'
import { eventsUrl, parseDatasetKeys } from '../ingest/dataset-keys.ts'
import { createPost } from '../ingest/http-post.ts'
import { numberOption, shareOption } from '../ingest/number-option.ts'
import { createProgress, grouped } from '../ingest/progress.ts'
import { SEND_POLICY } from '../ingest/send-batch.ts'

interface GenerateFlags {
  readonly url: string
  readonly key: readonly string[]
  readonly profile: readonly string[]
  readonly events?: number
  readonly rate?: number
  readonly users: number
  readonly days: number
  readonly seed: number
  readonly run: number
  readonly until?: string
  readonly concurrency: number
  readonly batch: number
  readonly broken: number
  readonly bots: number
  readonly skewed: number
  readonly repeated: number
  readonly ledger?: string
}

const REQUEST_TIMEOUT_MS = 30_000
const EVENTS_DEFAULT = 10_000
/** Live traffic is made in slices of this length, each ending now. */
const SLICE_MS = 5_000

/** `millrace generate`: seeded traffic through the same door as everyone's. */
export function registerGenerate(program: Command): void {
  const several = (value: string, before: readonly string[]) => [...before, value]
  program
    .command('generate')
    .description(
      'Send made-up but lifelike traffic: people, sessions, funnels, bots, broken events, retries.',
    )
    .requiredOption('--url <address>', 'the collector, e.g. http://127.0.0.1:8080')
    .option('--key <dataset=key>', 'write key of a dataset; repeat for several', several, [])
    .option('--profile <dataset=profile>', `what a dataset is: ${PROFILES.join(' or ')}`, several, [])
    .option(
      '--events <n>',
      'events in all (default 10000, or without end when --rate is given)',
      numberOption(1),
    )
    .option('--rate <n>', 'events per second (default: as fast as they are taken)', numberOption(1))
    .option('--users <n>', 'people per dataset', numberOption(1, 10_000_000), 2_000)
    .option('--days <n>', 'how many days the traffic covers', numberOption(1, 366), 7)
    .option('--seed <n>', 'who the people are and what they do', numberOption(0), 1)
    .option('--run <n>', 'another run is other events by the same people', numberOption(0), 1)
    .option('--until <time>', 'when the traffic ends, ISO 8601 (default: now)')
    .option('--concurrency <n>', 'requests under way at once', numberOption(1, 256), 8)
    .option('--batch <n>', 'events per request', numberOption(1, 1_000), 200)
    .option('--broken <share>', 'share of broken events', shareOption, 0.01)
    .option('--bots <share>', 'share of visits by bots', shareOption, 0.05)
    .option('--skewed <share>', 'share of people whose clock is wrong', shareOption, 0.05)
    .option('--repeated <share>', 'share of requests that the client sends twice', shareOption, 0.03)
    .option('--ledger <file>', 'write what was sent and answered, per dataset, as JSON')
    .action(generate)
}

async function generate(flags: GenerateFlags): Promise<void> {
  const url = eventsUrl(flags.url)
  const keys = parseDatasetKeys(flags.key)
  const datasets = [...keys.keys()].map((id) => ({ id, profile: profileOf(id, flags.profile) }))
  const untilMs = flags.until === undefined ? systemClock.now() : Date.parse(flags.until)
  if (Number.isNaN(untilMs)) throw new Error('--until must be a time like 2026-01-31T12:00:00Z.')
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)

  const traffic: TrafficOptions = {
    seed: flags.seed,
    run: flags.run,
    untilMs,
    spanMs: flags.days * 86_400_000,
    users: flags.users,
    events: flags.events ?? EVENTS_DEFAULT,
    batchEvents: flags.batch,
    datasets,
    brokenShare: flags.broken,
    botShare: flags.bots,
    skewedShare: flags.skewed,
    repeatedShare: flags.repeated,
  }
  const isLive = flags.rate !== undefined && flags.events === undefined
  const requests = isLive ? liveRequests(traffic, flags.rate as number) : trafficRequests(traffic)
  const ledger = createLedger(datasets.map(({ id }) => id))
  const { post, close } = createPost(url, flags.concurrency, REQUEST_TIMEOUT_MS)
  const progress = createProgress(process.stderr, systemClock.monotonic)
  const startMs = systemClock.monotonic()
  const line = () => progressLine(ledger, isLive ? null : traffic.events, systemClock.monotonic() - startMs)
  const timer = setInterval(() => progress.update(line), 100)
  try {
    await sendTraffic(
      { post, clock: systemClock, random: Math.random, signal: stop.signal },
      requests,
      ledger,
      {
        keys,
        concurrency: flags.concurrency,
        eventsPerSecond: flags.rate ?? null,
        policy: SEND_POLICY,
      },
    )
  } finally {
    clearInterval(timer)
    close()
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
  progress.done(`${line()}  (seed ${flags.seed}, run ${flags.run}, until ${new Date(untilMs).toISOString()})`)
  if (flags.ledger !== undefined) {
    const { seed, run } = flags
    const written = { seed, run, until: new Date(untilMs).toISOString(), datasets: ledger.datasets }
    writeFileSync(flags.ledger, `${JSON.stringify(written, null, 2)}\n`)
  }
  const { refused, unknown } = ledger.totals()
  for (const [id, book] of Object.entries(ledger.datasets)) {
    if (book.refused + book.unknown > 0) process.stderr.write(`${id}: ${book.problems[0] ?? 'stopped'}\n`)
  }
  if (refused + unknown > 0) process.exitCode = 1
}

/** Slice after slice of traffic that happens now, without end. */
function* liveRequests(traffic: TrafficOptions, eventsPerSecond: number) {
  for (let untilMs = traffic.untilMs; ; untilMs = Math.max(systemClock.now(), untilMs + 1)) {
    const events = Math.max(1, Math.round((eventsPerSecond * SLICE_MS) / 1000))
    yield* trafficRequests({ ...traffic, untilMs, spanMs: SLICE_MS, events })
  }
}

function profileOf(dataset: string, pairs: readonly string[]): Profile {
  const given = pairs.find((pair) => pair.startsWith(`${dataset}=`))?.slice(dataset.length + 1)
  const profile = given ?? PROFILES.find((name) => dataset.includes(name)) ?? 'shop'
  if (!PROFILES.includes(profile as Profile))
    throw new Error(`--profile ${dataset}=${profile}: there are ${PROFILES.join(' and ')}.`)
  return profile as Profile
}

function progressLine(ledger: Ledger, expected: number | null, elapsedMs: number): string {
  const { sent, acknowledged, rejected, refused, unknown, retried } = ledger.totals()
  const rate = (sent / Math.max(elapsedMs, 1)) * 1000
  const of = expected === null ? '' : ` of ${grouped(expected)}`
  const trouble = refused + unknown > 0 ? `, ${grouped(refused)} refused, ${grouped(unknown)} unknown` : ''
  return (
    `sent ${grouped(sent)}${of}, ${grouped(rate)}/s, ${(elapsedMs / 1000).toFixed(1)} s: ` +
    `${grouped(acknowledged)} acknowledged (${grouped(rejected)} rejected at once), ${grouped(retried)} repeated${trouble}`
  )
}
