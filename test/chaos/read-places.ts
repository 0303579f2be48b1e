import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { parse as parseCsv } from 'csv-parse/sync'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { fetchJars } from '../../infra/engines/jars.ts'
import { readTopic } from '../../services/cli/demo/console-consumer.ts'
import { type Bucket, listKeys, manifestsOf } from '../../services/cli/demo/delivery-reader.ts'
import type { DemoConnections } from '../../services/cli/demo/demo-connections.ts'
import { isStatement, numberOf } from './chaos-events.ts'
import type { Tally } from './tally.ts'

/** Readers of every place that share no code with whoever wrote it. */

const CONSOLE_IDLE_MS = 10_000

/** Reads a topic whole, committed records only, with the consumer that ships with Kafka. */
export async function readWholeTopic(
  { log, brokers }: DemoConnections,
  topic: string,
  onValue: (value: string, where: string) => void,
): Promise<void> {
  const ranges = await log.admin.offsetRanges(topic, 'read_committed')
  const lastOffsets = new Map(
    ranges.flatMap(({ partition, start, end }) => (end - start >= 2 ? [[partition, end - 2] as const] : [])),
  )
  await readTopic(
    {
      jars: fetchJars('kafka-tools'),
      brokers,
      configFile: null,
      topic,
      withValues: true,
      group: `chaos-oracle-${process.pid}-${topic}`,
      lastOffsets: Promise.resolve(lastOffsets),
      idleMs: CONSOLE_IDLE_MS,
    },
    ({ partition, offset, headers, value }) => {
      if (value !== null && !headers.has('tick')) onValue(String(value), `${topic}/${partition}@${offset}`)
    },
  )
}

export async function tallyEnriched(
  connections: DemoConnections,
  topic: string,
  tally: Tally,
): Promise<void> {
  await readWholeTopic(connections, topic, (value, where) => {
    const { dataset_id, event_id, properties } = JSON.parse(value)
    tally.saw(dataset_id, event_id, JSON.stringify(properties), where)
  })
}

/** @param codes takes how often each one was given */
export async function tallyRejected(
  connections: DemoConnections,
  topic: string,
  tally: Tally,
  codes: Map<string, number>,
): Promise<void> {
  await readWholeTopic(connections, topic, (value, where) => {
    const { dataset_id, event_id, code, payload } = JSON.parse(value)
    codes.set(code, (codes.get(code) ?? 0) + 1)
    sawPayload(tally, dataset_id, event_id, payload, where)
  })
}

function sawPayload(tally: Tally, dataset: string, eventId: string, payload: string, where: string): void {
  let properties = ''
  try {
    properties = JSON.stringify(JSON.parse(payload).properties ?? null)
  } catch {
    // Told by the tally.
  }
  tally.saw(dataset, eventId, properties, where)
}

interface ManifestFacts {
  readonly objects: readonly { readonly key: string; readonly rows: number }[]
  readonly rejected_object: { readonly key: string; readonly rows: number } | null
}

/** Rows of the objects that manifests name, and what is wrong with how many there are. */
export async function tallyFiles(bucket: Bucket, delivery: string, tally: Tally): Promise<void> {
  for (const manifestKey of await listKeys(bucket, manifestsOf(delivery))) {
    const manifest = JSON.parse(String(await objectBytes(bucket, manifestKey))) as ManifestFacts
    if (manifest.rejected_object !== null)
      tally.faults.push(`${tally.place}: ${manifestKey} says that rows could not be written`)
    for (const { key, rows } of manifest.objects) {
      const found = await rowsOf(key, await objectBytes(bucket, key))
      if (found.length !== rows)
        tally.faults.push(`${tally.place}: ${key} holds ${found.length} rows of ${rows}`)
      for (const row of found) {
        if (row.payload !== undefined) sawPayload(tally, row.dataset_id, row.event_id, row.payload, key)
        else
          tally.saw(
            row.dataset_id,
            row.event_id,
            typeof row.properties === 'string' ? row.properties : JSON.stringify(row.properties),
            key,
          )
      }
    }
  }
}

interface Row {
  readonly dataset_id: string
  readonly event_id: string
  readonly properties?: unknown
  readonly payload?: string
}

export async function objectBytes({ client, bucket }: Bucket, key: string): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
  return Buffer.from(await Body!.transformToByteArray())
}

async function rowsOf(key: string, bytes: Buffer): Promise<readonly Row[]> {
  if (key.endsWith('.parquet')) {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
    const columns = ['dataset_id', 'event_id', 'properties']
    return (await parquetReadObjects({ file, columns, compressors })) as unknown as Row[]
  }
  const plain = gunzipSync(bytes)
  if (!key.includes('.jsonl')) return parseCsv(plain, { columns: true })
  const lines = plain.toString('utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line))
}

/** One statement over plain HTTP, its answer line by line. */
export async function eachLine(
  { clickhouse }: DemoConnections,
  statement: string,
  onLine: (line: string) => void,
): Promise<void> {
  const url = new URL(clickhouse.url)
  url.searchParams.set('database', clickhouse.database)
  const answer = await fetch(url, { method: 'POST', body: statement })
  if (!answer.ok || answer.body === null)
    throw new Error(`ClickHouse refused "${statement}": ${(await answer.text()).trim()}`)
  const lines = createInterface({ input: Readable.fromWeb(answer.body as never) })
  for await (const line of lines) if (line !== '') onLine(line)
}

/** What events say of persons, as it is sent on: of those that describe one, that part. */
export async function tallyStatements(
  connections: DemoConnections,
  topic: string,
  tally: Tally,
): Promise<void> {
  await readWholeTopic(connections, topic, (value, where) => {
    const { dataset_id, event_id, set } = JSON.parse(value)
    if (set) tally.saw(dataset_id, event_id, JSON.stringify(set), where)
  })
}

/** Lines of persons' history that events brought about which describe one: each has what they said. */
export async function tallyHistory(connections: DemoConnections, seed: number, tally: Tally): Promise<void> {
  const statement =
    'SELECT dataset_id, event_id, properties, version FROM person_changes FINAL FORMAT JSONCompactEachRow'
  await eachLine(connections, statement, (line) => {
    const [dataset, eventId, properties, version] = JSON.parse(line) as string[]
    // Others only show somebody: such a line is there once a person, with what was said before.
    if (isStatement({ seq: numberOf(seed, eventId!) }))
      tally.saw(dataset!, eventId!, properties!, `person_changes at ${version}`)
  })
}

/** Source offsets of one answer: what ClickHouse sends is some tens of megabytes. */
const PAGE_OFFSETS = 50_000

/** Every row, without FINAL, page by page: an answer of gigabytes does not come to its end over one connection. */
export async function tallyRows(
  connections: DemoConnections,
  table: 'events' | 'rejected_events',
  tally: Tally,
): Promise<void> {
  const column = table === 'events' ? 'properties' : 'payload'
  for (const [partition, first, last] of await sourceRanges(connections, table))
    for (let from = first; from <= last; from += PAGE_OFFSETS) {
      const statement = `SELECT dataset_id, event_id, ${column}, src_offset FROM ${table} WHERE src_partition = ${partition} AND src_offset BETWEEN ${from} AND ${from + PAGE_OFFSETS - 1} FORMAT JSONCompactEachRow`
      await eachLine(connections, statement, (line) => {
        const [dataset, eventId, text, offset] = JSON.parse(line) as string[]
        const where = `${table} from ${partition}:${offset}`
        if (table === 'events') tally.saw(dataset!, eventId!, text!, where)
        else sawPayload(tally, dataset!, eventId!, text!, where)
      })
    }
}

/** Partitions that rows came from, with the least and the greatest offset of each. */
async function sourceRanges(
  connections: DemoConnections,
  table: string,
): Promise<readonly (readonly [number, number, number])[]> {
  const ranges: (readonly [number, number, number])[] = []
  const statement = `SELECT src_partition, min(src_offset), max(src_offset) FROM ${table} GROUP BY src_partition ORDER BY src_partition FORMAT TSV`
  await eachLine(connections, statement, (line) => {
    const [partition, first, last] = line.split('\t').map(Number)
    ranges.push([partition!, first!, last!])
  })
  return ranges
}
