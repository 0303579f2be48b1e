import { gunzipSync } from 'node:zlib'
import { RequestRefusal } from '../../services/collector/request-refusal.ts'
import { rrweb } from '../helpers/recording-chunks.ts'
import { difference } from './difference.ts'
import type { Kernel } from './kernel.ts'
import type { Answer, Send } from './surroundings.ts'
import type { World } from './world.ts'
import { BUCKET, names, PARTITIONS } from './world-config.ts'

const DATASET = 'shop'
const SESSIONS = 6

/** Chunks that are known to lie in the log. */
export interface Recorded {
  readonly acked: ReadonlySet<string>
  readonly isDone: boolean
}

/** Visitors whose sessions are recorded: `count` chunks over `overMs`, some handed over again although they are in. */
export function startRecorders(kernel: Kernel, send: Send, count: number, overMs: number): Recorded {
  const acked = new Set<string>()
  let open = count
  async function record(id: string): Promise<void> {
    const session = `session-${Math.floor(kernel.random() * SESSIONS)}`
    const times = kernel.chance(0.2) ? 2 : 1
    for (let time = 0; time < times; time++)
      if (isTaken(await send(DATASET, snapshotEvent(session, id, kernel.clock.now()), undefined)))
        acked.add(id)
    open--
  }
  for (let n = 0; n < count; n++) kernel.at(kernel.between(0, overMs), () => void record(`chunk-${n}`))
  return {
    acked,
    get isDone() {
      return open === 0
    },
  }
}

/** A chunk as a client sends it. Its window has its id. */
function snapshotEvent(session: string, id: string, nowMs: number): string {
  const data = [rrweb.page(nowMs, 'https://shop.example/'), rrweb.click(nowMs + 1)]
  return JSON.stringify({
    event: '$snapshot',
    event_id: id,
    distinct_id: session,
    properties: { $session_id: session, $window_id: id, $snapshot_data: data, $lib: 'web' },
  })
}

function isTaken(answer: Answer): boolean {
  return answer !== 'no answer' && !(answer instanceof RequestRefusal) && answer.accepted === 1
}

/**
 * Every chunk that is known to be in lies in `recordings.raw`; each record there is one row, and the row says where its
 * line lies.
 *
 * @returns one sentence per thing that is wrong
 */
export function recordingFaults(world: World, { acked }: Recorded): string[] {
  const faults: string[] = []
  const inLog = new Set<string>()
  const expected: string[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const batch = world.log.controls.records(names.recordings, partition)
    for (let index = 0; index < (batch?.length ?? 0); index++) {
      const value = batch!.value(index)!
      const id = JSON.parse(value.toString('utf8', 0, value.indexOf('\n'))).event_id
      inLog.add(id)
      expected.push(`${id} of ${partition}:${batch!.offset(index)}`)
    }
  }
  for (const id of acked)
    if (!inLog.has(id)) faults.push(`${id} was taken and is not in ${names.recordings}.`)
  const rows = world.warehouse.rows('recording_chunks')
  const found = rows.map((row) => `${row.event_id} of ${row.src_partition}:${row.src_offset}`)
  faults.push(...difference('table recording_chunks', expected, found))
  for (const row of rows) {
    const line = lineAt(world, row)
    if (line !== row.event_id)
      faults.push(`Where ${row.event_id} should lie in ${row.object_key} is ${line ?? 'nothing'}.`)
  }
  return faults
}

/** Which chunk lies where a row says; null for what is none. */
function lineAt({ store }: World, row: Readonly<Record<string, unknown>>): string | null {
  const object = store.buckets.get(BUCKET)?.get(String(row.object_key))
  const from = Number(row.object_from)
  try {
    const line = gunzipSync(object!.bytes.subarray(from, from + Number(row.object_bytes)))
    return JSON.parse(line.toString()).window_id
  } catch {
    return null
  }
}
