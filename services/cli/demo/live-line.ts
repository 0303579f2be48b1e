import type { Receipt } from '../../../schemas/receipt/v1.ts'
import { systemClock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import { createProgress, grouped } from '../ingest/progress.ts'
import { followTopic } from '../tail/follow-topic.ts'
import type { DemoConnections } from './demo-connections.ts'
import { demoConsumers } from './demo-consumers.ts'
import { lagOf } from './lag.ts'

const LIVE_EVERY_MS = 1_000

/**
 * One line that says what flows, written over every second until the signal aborts: events taken in and handed on, and
 * how many offsets each consumer has before it. While a dependency does not answer the line says so.
 */
export async function showLive(connections: DemoConnections, signal: AbortSignal): Promise<void> {
  const progress = createProgress(process.stdout, systemClock.monotonic)
  while (!signal.aborted) {
    try {
      await showFlow(connections, signal, progress.update)
    } catch (error) {
      if (!isDependencyError(error)) throw error
      progress.update(() => error.message)
      await systemClock.sleep(LIVE_EVERY_MS, signal)
    }
  }
  progress.done('')
}

async function showFlow(
  { log, names }: DemoConnections,
  signal: AbortSignal,
  update: (text: () => string) => void,
): Promise<void> {
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  let handedOn = 0
  // Receipts count events; offsets of events.enriched count ticks and transaction markers too.
  const following = followTopic(log, { topic: names.receipts, from: 'end', signal: either }, (batch) => {
    for (let i = 0; i < batch.length; i++) handedOn += eventsOf(batch.value(i))
    return true
  })
  following.catch(() => stop.abort())
  const { topics, files, rows } = demoConsumers(names)
  const taken = async () =>
    (await log.admin.offsetRanges(names.raw, 'read_committed')).reduce((sum, { end }) => sum + end, 0)
  let before = { taken: await taken(), handedOn, atMs: systemClock.monotonic() }
  try {
    while (!either.aborted) {
      await systemClock.sleep(LIVE_EVERY_MS, either)
      const lags = await Promise.all([...topics, ...files, ...rows].map((each) => lagOf(log, each)))
      const now = { taken: await taken(), handedOn, atMs: systemClock.monotonic() }
      const perSecond = (what: 'taken' | 'handedOn') =>
        grouped(((now[what] - before[what]) * 1000) / (now.atMs - before.atMs))
      const behind = lags.map(({ name, offsets }) => `${name} ${grouped(offsets)}`).join(', ')
      const text = `in ${perSecond('taken')}/s  out ${perSecond('handedOn')}/s  lag: ${behind}`
      update(() => text)
      before = now
    }
  } finally {
    stop.abort()
    await following
  }
}

function eventsOf(value: Buffer | null): number {
  if (value === null) return 0
  const { enriched, rejected } = JSON.parse(value.toString('utf8')) as Receipt
  return enriched + rejected
}
