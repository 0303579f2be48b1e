import { setTimeout as sleep } from 'node:timers/promises'
import { createPost, type PostAnswer } from '../../services/cli/ingest/http-post.ts'
import { chaosChunk, chunkBody } from './chaos-chunks.ts'
import { bodyOf, type ChaosEvent, chaosEvent, type DatasetId, EARLIER, WRITE_KEYS } from './chaos-events.ts'
import { ChaosLedger, FATE } from './ledger.ts'

/** What the harness tells the process that sends. */
export interface LoadOptions {
  readonly seed: number
  readonly collectorPorts: readonly number[]
  /** Where each of them says whether it is ready: the others get nothing, as from a load balancer. */
  readonly opsPorts: readonly number[]
  readonly eventsPerSecond: number
  readonly ledgerFile: string
  /** Fates of chunks of recordings, by their own numbers. */
  readonly chunkLedgerFile: string
  /** Number of the first event, a multiple of {@link BATCH}. */
  readonly from: number
}

/** What it tells the harness, every second and when it has ended. */
export interface LoadReport {
  readonly acked: number
  readonly refused: number
  readonly unknown: number
  /** Of the acknowledged, those that a collector had stored for later (202). */
  readonly stored: number
  /** Events of acknowledged requests that were sent again on purpose. */
  readonly repeated: number
  readonly conflicts: number
  /** Requests that were not answered 2xx, each try of them. */
  readonly failedTries: number
  /** Requests that were answered neither 2xx, 429 nor 503. */
  readonly oddAnswers: readonly string[]
  /** Set once nothing more is sent and the ledger is on disk. */
  readonly sent: number | null
}

const BATCH = 50
const SENDERS = 12
const REQUEST_TIMEOUT_MS = 8_000
const TRIES_MAX = 20
const REPEATED_SHARE = 0.2

/** Sends until it is told to stop; a request that is answered for good has its fate in the ledger. */
async function send(options: LoadOptions, stopped: () => boolean): Promise<void> {
  const { seed } = options
  const ledger = new ChaosLedger()
  const chunkLedger = new ChaosLedger()
  const posts = options.collectorPorts.map((port) =>
    createPost(new URL(`http://127.0.0.1:${port}/v1/events`), SENDERS, REQUEST_TIMEOUT_MS),
  )
  const isReady = posts.map(() => true)
  let turn = 0
  let next = options.from
  const sums = { acked: 0, stored: 0, refused: 0, unknown: 0, repeated: 0, conflicts: 0, failedTries: 0 }
  const oddAnswers: string[] = []
  const stored = new Set<number>()
  const report = (sent: number | null) => {
    if (process.connected) process.send?.({ ...sums, oddAnswers, sent } satisfies LoadReport)
  }
  const startedMs = performance.now()

  /**
   * The next events of one dataset. An id is used again only when its first use is known to lie in Kafka: who comes
   * first there has the id.
   */
  function take(): { dataset: DatasetId; events: ChaosEvent[] }[] {
    const byDataset = new Map<DatasetId, ChaosEvent[]>()
    for (const end = next + BATCH; next < end; next++) {
      const event = chaosEvent(seed, next)
      const reused = event.kind === 'conflict' || event.kind === 'foreign'
      const earlier = next - EARLIER
      if (reused && (ledger.fate(earlier) !== FATE.acked || stored.has(earlier))) continue
      const events = byDataset.get(event.dataset) ?? []
      events.push(event)
      byDataset.set(event.dataset, events)
    }
    return [...byDataset].map(([dataset, events]) => ({ dataset, events }))
  }

  async function sendOnce(
    body: string,
    dataset: DatasetId,
  ): Promise<'acked' | 'stored' | 'not_taken' | 'unknown'> {
    const ready = posts.filter((_, index) => isReady[index])
    const { post } = (ready.length > 0 ? ready : posts)[turn++ % (ready.length || posts.length)]!
    let answer: PostAnswer
    try {
      answer = await post(body, { authorization: `Bearer ${WRITE_KEYS[dataset]}` })
    } catch (error) {
      // Nobody listened: nothing was taken. Anything else may have been.
      return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' ? 'not_taken' : 'unknown'
    }
    if (answer.status === 202) return 'stored'
    if (answer.status >= 200 && answer.status < 300) return 'acked'
    if (answer.status === 429 || (answer.status === 503 && answer.body.includes('not_taken')))
      return 'not_taken'
    if (answer.status !== 503 && oddAnswers.length < 20)
      oddAnswers.push(`${answer.status} ${answer.body.slice(0, 200)}`)
    return answer.status >= 500 || answer.status === 408 ? 'unknown' : 'not_taken'
  }

  /** Tries again and again. */
  async function outcomeOf(
    body: string,
    dataset: DatasetId,
  ): Promise<'acked' | 'stored' | 'refused' | 'unknown'> {
    let doubt = false
    for (let tries = 1; ; tries++) {
      const said = await sendOnce(body, dataset)
      if (said === 'acked' || said === 'stored') return said
      if (said === 'unknown') doubt = true
      sums.failedTries++
      if (tries >= TRIES_MAX || (stopped() && tries > 3)) return doubt ? 'unknown' : 'refused'
      await sleep(Math.min(1_000, 50 * 2 ** tries) * (0.5 + Math.random() / 2))
    }
  }

  async function deliver(dataset: DatasetId, events: readonly ChaosEvent[]): Promise<void> {
    const body = JSON.stringify({ batch: events.map((event) => bodyOf(seed, event, Date.now())) })
    const said = await outcomeOf(body, dataset)
    if (said === 'stored') {
      for (const { seq } of events) stored.add(seq)
      sums.stored += events.length
    }
    const outcome = said === 'stored' ? 'acked' : said
    for (const event of events) {
      ledger.book(event.seq, FATE[outcome])
      if (event.kind === 'conflict') sums.conflicts++
    }
    sums[outcome] += events.length
    for (let again = 0; outcome === 'acked' && Math.random() < REPEATED_SHARE && again < 5; again++) {
      const said = await sendOnce(body, dataset)
      if (said === 'acked' || said === 'stored') sums.repeated += events.length
    }
  }

  /** A chunk in a request of its own, now and then once more: another record. */
  async function deliverChunk(number: number): Promise<void> {
    const chunk = chaosChunk(seed, number)
    const body = JSON.stringify({ batch: [chunkBody(seed, chunk, Date.now())] })
    const said = await outcomeOf(body, chunk.dataset)
    chunkLedger.book(number, FATE[said === 'stored' ? 'acked' : said])
    if (said === 'acked' && Math.random() < REPEATED_SHARE) await sendOnce(body, chunk.dataset)
  }

  async function sender(): Promise<void> {
    while (!stopped()) {
      const dueMs = startedMs + ((next - options.from) / options.eventsPerSecond) * 1000
      const number = next / BATCH
      const requests = take()
      if (dueMs > performance.now()) await sleep(dueMs - performance.now())
      for (const { dataset, events } of requests) await deliver(dataset, events)
      await deliverChunk(number)
    }
  }

  const reporting = setInterval(() => report(null), 1_000)
  const probing = setInterval(() => {
    for (const [index, port] of options.opsPorts.entries())
      fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(1_000) }).then(
        ({ ok }) => {
          isReady[index] = ok
        },
        () => {
          isReady[index] = false
        },
      )
  }, 100)
  await Promise.all(Array.from({ length: SENDERS }, sender))
  clearInterval(reporting)
  clearInterval(probing)
  for (const { close } of posts) close()
  ledger.save(options.ledgerFile)
  chunkLedger.save(options.chunkLedgerFile)
  report(next)
}

if (import.meta.main) {
  let stopping = false
  process.on('message', (message: { start?: LoadOptions; stop?: true }) => {
    if (message.stop) stopping = true
    if (message.start) void send(message.start, () => stopping).then(() => process.disconnect())
  })
  // The harness is gone: so is the reason to send.
  process.on('disconnect', () => {
    stopping = true
  })
}
