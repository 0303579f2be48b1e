import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { listKeys } from '../../services/cli/demo/delivery-reader.ts'
import { type DemoConnections, openDemoConnections } from '../../services/cli/demo/demo-connections.ts'
import { arrivals, type Before, countRun, lookBefore } from '../../services/cli/demo/demo-steps.ts'
import { DEMO_KEYS, type SentTraffic, sendDemoTraffic } from '../../services/cli/demo/demo-traffic.ts'
import type { Reconciliation } from '../../services/cli/demo/reconcile.ts'
import { STAGE_NAMES } from '../../services/cli/stages.ts'
import { openSystem, type System } from '../../services/cli/supervisor/system.ts'
import type { VerifyReport } from '../../services/cli/verify/verify-delivery.ts'
import type { LogReport } from '../../services/cli/verify/verify-with-log.ts'
import type { EventTrace } from '../../services/query-api/trace/event-trace.ts'
import { needs } from '../helpers/needs.ts'
import { recordPage } from '../helpers/recorded-page.ts'

/** The whole system as `make demo` runs it: real engines, a process per stage, traffic through the HTTP door. */
const EVENTS = 6_000
const MILLRACE = join(import.meta.dirname, '../../bin/millrace')
const stateDir = mkdtempSync(join(tmpdir(), 'millrace-e2e-'))
const never = new AbortController().signal

let system: System
let connections: DemoConnections
let first: Running
/** The last run, without a fault as it was counted, and the objects of a delivery that were there before it. */
let balanced: Running & { readonly objectsBefore: ReadonlySet<string> }

beforeAll(async () => {
  system = await openSystem({
    stateDir,
    stages: STAGE_NAMES,
    single: false,
    portOffset: 2_000 + Math.floor(Math.random() * 5_000),
    env: {
      ...process.env,
      MILLRACE_KAFKA_PARTITIONS: '3',
      MILLRACE_RECORDINGS_BATCH_AGE: '1s',
      // The tests ask again and again until what they wait for is there.
      MILLRACE_QUERY_RATE_LIMITS: 'false',
    },
    onUnit: () => {},
    onLeftBehind: () => {},
  })
  await system.start()
  expect(system.status().filter(({ state }) => state !== 'ready')).toEqual([])
  connections = await openDemoConnections({ ...process.env, ...system.addresses })
  await connections.apply(join(import.meta.dirname, '../../examples/millrace.yaml'), () => {})
  first = await sendRun()
})

afterAll(async () => {
  await connections?.close()
  await system?.stop()
  rmSync(stateDir, { recursive: true, force: true })
})

interface Running {
  readonly sent: SentTraffic
  readonly before: Before
}

let run = 0
/**
 * Sends a run of its own.
 *
 * @param during told often how much is acknowledged so far; the traffic then takes a few seconds
 */
async function sendRun(during?: (acknowledged: number) => void): Promise<Running> {
  const before = await lookBefore(connections)
  run += 1
  const eventsPerSecond = during ? 1_000 : null
  const traffic = { events: EVENTS, seed: 7, run, untilMs: Date.now(), eventsPerSecond }
  const sent = await sendDemoTraffic(connections.collectorUrl, traffic, never, during ?? (() => {}))
  return { sent, before }
}

async function table({ sent, before }: Running): Promise<Reconciliation> {
  const arrived = arrivals(connections, never, () => {})
  return countRun(connections, sent, before, arrived, () => {})
}

async function storedObject(key: string): Promise<Buffer> {
  const { client, bucket } = connections.bucket
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
  return Buffer.from(await Body!.transformToByteArray())
}

/** Runs a statement as it stands. @returns what came back as text */
async function clickhouse(statement: string, parameters = ''): Promise<string> {
  const { url, database } = connections.clickhouse
  const answer = await fetch(`${url}/?database=${database}${parameters}`, { method: 'POST', body: statement })
  return (await answer.text()).trim()
}

/** Where the API says that an event of the shop is. */
async function traceOf(eventId: string): Promise<EventTrace> {
  const answer = await fetch(
    `${connections.queryUrl}/api/datasets/shop/trace/${encodeURIComponent(eventId)}`,
    { headers: { authorization: `Bearer ${DEMO_KEYS.shop.read}` } },
  )
  return (await answer.json()) as EventTrace
}

const faultsOf = ({ lines }: Reconciliation) => lines.flatMap((line) => line.faults)

test('every accepted event is in every place it has to be in, once', async () => {
  const result = await table(first)
  expect(faultsOf(result)).toEqual([])
  expect(result.lines.length).toBeGreaterThan(15)
  expect(result.lines.find(({ place }) => place === 'accepted over HTTP')?.expected).toBeGreaterThan(
    EVENTS / 3,
  )
})

test('one event is found in every place it went to, by its id alone', async () => {
  await Promise.all(Object.values(arrivals(connections, never, () => {})))
  const eventId = await clickhouse(
    // One that every subscription to purchases asks for.
    "SELECT event_id FROM events WHERE dataset_id = 'shop' AND event = 'purchase' AND JSONExtractFloat(properties, 'amount') >= 20 AND NOT ifNull(is_bot, false) ORDER BY collector_time DESC LIMIT 1 FORMAT TSV",
  )
  const trace = await traceOf(eventId)
  const arrival = trace.arrivals.find(({ verdict }) => verdict === 'enriched')
  expect(arrival, JSON.stringify(trace)).toMatchObject({
    raw: { topic: 'events.raw' },
    log: { topic: 'events.enriched' },
    clickhouse: { table: 'events' },
  })
  const delivered = arrival!.deliveries.map(({ delivery, status }) => `${delivery} ${status}`).sort()
  expect(delivered).toEqual(['purchases delivered', 'warehouse delivered'])
  const purchases = arrival!.deliveries.find(({ delivery }) => delivery === 'purchases')!.place!
  const holding = await Promise.all(
    purchases.objects.map(async (key) => gunzipSync(await storedObject(key)).includes(`"${eventId}"`)),
  )
  expect(holding.filter((holds) => holds)).toEqual([true])
  const subscribed = arrival!.subscriptions
    .map(({ subscription, status }) => `${subscription} ${status}`)
    .sort()
  expect(subscribed).toEqual(['page-views not_asked_for', 'shop-all written', 'shop-purchases written'])
})

test('a refused event and a repeated one are traced to why they are not there', async () => {
  const send = (event: object) =>
    fetch(`${connections.collectorUrl}/v1/events`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${DEMO_KEYS.shop.write}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify(event),
    })
  const viewed = { event: 'page_view', event_id: 'sent-twice', distinct_id: 'ada' }
  const refused = { event: 'product_view', event_id: 'refused', distinct_id: 'ada', properties: {} }
  for (const event of [viewed, refused, viewed]) expect((await send(event)).status).toBe(200)
  await vi.waitFor(
    async () => {
      const { arrivals: seen } = await traceOf('sent-twice')
      expect(seen.map(({ verdict }) => verdict)).toEqual(['enriched', 'duplicate'])
      expect(seen[1]!.deliveries.map(({ status }) => status)).not.toContain('delivered')
      expect(seen[1]!.clickhouse).toBeNull()
      const trace = await traceOf('refused')
      expect(trace.arrivals).toMatchObject([
        { verdict: 'rejected', log: { topic: 'events.rejected' }, clickhouse: { table: 'rejected_events' } },
      ])
      expect(trace.arrivals[0]!.explanation).toContain('schema_violation')
      const delivered = trace.arrivals[0]!.deliveries.map(({ delivery, status }) => `${delivery} ${status}`)
      expect(delivered).toContain('rejected delivered')
      expect(delivered).not.toContain('warehouse delivered')
    },
    { timeout: 120_000, interval: 500 },
  )
})

interface SnapshotsPage {
  readonly next: string | null
  readonly snapshot_data_by_window_id: Readonly<Record<'w-1', readonly unknown[]>>
}

test('what rrweb recorded in Chromium is read back event by event, and plays to the same page', {
  timeout: 90_000,
  ...needs('chromium'),
}, async () => {
  const session = 'recorded-1'
  const page = await recordPage({
    collectorUrl: connections.collectorUrl,
    key: DEMO_KEYS.shop.write,
    session,
  })
  expect(page.answers).toMatchObject(Array(3).fill({ accepted: 1, rejected: 0 }))
  const recordings = `${connections.queryUrl}/api/datasets/shop/session_recordings`
  const ask = async (url: string) => {
    const response = await fetch(url, { headers: { authorization: `Bearer ${DEMO_KEYS.shop.read}` } })
    const body = await response.json()
    expect([response.status, body]).toEqual([200, body])
    return body
  }
  const read = await vi.waitFor(
    async () => {
      const found: unknown[] = []
      let next: string | null = `${recordings}/${session}/snapshots?limit=1`
      while (next !== null) {
        const answer = (await ask(next)) as SnapshotsPage
        found.push(...answer.snapshot_data_by_window_id['w-1'])
        next = answer.next
      }
      expect(found).toHaveLength(page.events.length)
      return found
    },
    { timeout: 120_000, interval: 500 },
  )
  expect(read).toEqual(page.events)
  expect(await page.play(read)).toEqual(page.seen)
  expect(await ask(`${recordings}/${session}`)).toMatchObject({
    distinct_id: 'ada',
    // Three of the button, one of the box.
    click_count: 4,
    start_url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:/),
  })
})

test('every raw offset is accounted for, from receipts through topics to manifests', async () => {
  for (const delivery of ['warehouse', 'rejected']) {
    const { stdout } = await promisify(execFile)(MILLRACE, ['verify', delivery, '--with-kafka', '--json'], {
      env: { ...process.env, ...(system.addresses as Record<string, string>) },
    })
    const { ok, faults, log } = JSON.parse(stdout) as VerifyReport & { log: LogReport }
    expect([faults, log.faults, ok]).toEqual([[], [], true])
    expect(log.partitions).toHaveLength(3)
    for (const { from, to, enriched, rejected, duplicate, control } of log.partitions)
      expect([from, to! + 1]).toEqual([0, enriched + rejected + duplicate + control])
  }
})

test('it still balances when every stage is killed while traffic flows', async () => {
  const toKill = STAGE_NAMES.filter((name) => name !== 'query-api')
  const kills: Promise<void>[] = []
  const objectsBefore = new Set(await listKeys(connections.bucket, 'purchases/'))
  const running = await sendRun((acknowledged) => {
    // One after another, spread over the traffic.
    if (kills.length < toKill.length && acknowledged > (EVENTS * (kills.length + 1)) / (toKill.length + 2)) {
      kills.push(system.kill(toKill[kills.length]!))
    }
  })
  await Promise.all(kills)
  expect(kills.length).toBe(toKill.length)
  expect(faultsOf(await table(running))).toEqual([])
  balanced = { ...running, objectsBefore }
  const restarted = system.status().filter(({ restarts }) => restarts > 0)
  expect(restarted.map(({ name }) => name).sort()).toEqual([...toKill].sort())
})

test('a row, an object or a manifest that goes away is named', async () => {
  const { bucket } = connections
  const { objectsBefore, ...running } = balanced

  // The latest lies in this run; what was acknowledged may also have been refused.
  const victim = await clickhouse(
    "SELECT event_id FROM events WHERE dataset_id = 'shop' ORDER BY collector_time DESC LIMIT 1 FORMAT TSV",
  )
  expect(running.sent.acknowledged.has(`shop/${victim}`)).toBe(true)
  const deletion = 'ALTER TABLE events DELETE WHERE event_id = {id:String}'
  expect(await clickhouse(deletion, `&mutations_sync=2&param_id=${victim}`)).toBe('')

  // Of this run: the manifests of earlier ones are not counted again.
  const [short, gone] = (await listKeys(bucket, 'purchases/')).filter((key) => !objectsBefore.has(key)) as [
    string,
    string,
  ]
  const lines = gunzipSync(await storedObject(short))
    .toString('utf8')
    .split('\n')
  await bucket.client.send(
    new PutObjectCommand({ Bucket: bucket.bucket, Key: short, Body: gzipSync(lines.slice(1).join('\n')) }),
  )
  const manifest = [...(await lookBefore(connections)).manifests].findLast(
    (key) => key.includes('/warehouse/') && !running.before.manifests.has(key),
  )
  for (const Key of [gone, manifest])
    await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.bucket, Key }))

  const faults = faultsOf(await table(running))
  expect(faults.filter((fault) => fault.startsWith('ClickHouse'))).toEqual([
    `ClickHouse events: 1 event is missing: shop/${victim}.`,
  ])
  expect(faults).toContainEqual(
    `delivery purchases: the object ${short} holds ${lines.length - 2} rows, its manifest says ${lines.length - 1}.`,
  )
  expect(faults.join('\n')).toContain(`the object ${gone} is missing`)
  expect(faults.join('\n')).toContain(`delivery warehouse: the manifest ${manifest} is missing`)
})
