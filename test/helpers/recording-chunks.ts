import type { RecordingChunk } from '../../schemas/recording-chunk/v1.ts'
import type { ProduceRecord } from '../../services/core/kafka/log.ts'
import { chunkLine, compressLine } from '../../services/core/recordings/chunk-line.ts'
import { encodeChunkRecord } from '../../services/core/recordings/chunk-record.ts'

/** Events as rrweb's recorder makes them. */
export const rrweb = {
  page: (timestamp: number, href: string) => ({
    type: 4,
    timestamp,
    data: { href, width: 800, height: 600 },
  }),
  snapshot: (timestamp: number) => ({
    type: 2,
    timestamp,
    data: { node: { type: 0, childNodes: [], id: 1 } },
  }),
  move: (timestamp: number) => ({
    type: 3,
    timestamp,
    data: { source: 1, positions: [{ x: 1, y: 1, id: 1 }] },
  }),
  click: (timestamp: number) => ({ type: 3, timestamp, data: { source: 2, type: 2, id: 1 } }),
  key: (timestamp: number) => ({ type: 3, timestamp, data: { source: 5, text: 'x', id: 1 } }),
  mutation: (timestamp: number) => ({ type: 3, timestamp, data: { source: 0, adds: [] } }),
  console: (timestamp: number, level: string) => ({
    type: 6,
    timestamp,
    data: { plugin: 'rrweb/console@1', payload: { level, payload: ['"x"'] } },
  }),
}

export interface SentRecording {
  readonly events: readonly { readonly timestamp: number }[]
  readonly session?: string
  readonly window?: string
  readonly dataset?: string
  readonly person?: string
  readonly id: string
  /** When it arrived, epoch ms; that of its last event when left out. */
  readonly arrivedMs?: number
}

/** A chunk as the collector writes it. */
export async function recordingChunk(sent: SentRecording): Promise<{
  readonly chunk: RecordingChunk
  readonly compressed: Buffer
}> {
  const { events, session = 's1', window = 'w1', dataset = 'shop', person = 'ann', id } = sent
  const line = chunkLine(window, events)
  const chunk = {
    v: 1,
    event_id: id,
    dataset_id: dataset,
    session_id: session,
    window_id: window,
    distinct_id: person,
    collector_time: sent.arrivedMs ?? (events.at(-1)?.timestamp as number),
    library: 'web',
    events: events.length,
    bytes: line.length,
  } as const
  return { chunk, compressed: await compressLine(line) }
}

/** The same as a record of `recordings.raw`. */
export async function recordingRecord(
  topic: string,
  partition: number,
  sent: SentRecording,
): Promise<ProduceRecord> {
  const { chunk, compressed } = await recordingChunk(sent)
  return { topic, partition, key: null, value: encodeChunkRecord(chunk, compressed), headers: {} }
}
