import type { Protocol } from '../../schemas/raw-event/v1.ts'
import type { RejectionCode } from '../../schemas/rejected-event/v1.ts'
import { cutPayload } from '../core/event/cut-payload.ts'
import { type RawEventEncoder, rawEventEncoder, rawHeaders } from '../core/event/raw-event.ts'
import type { ProduceRecord } from '../core/kafka/log.ts'
import { partitionOf, recordKey } from '../core/kafka/partition.ts'
import { encodeChunkRecord } from '../core/recordings/chunk-record.ts'
import { DependencyError, isDependencyError } from '../core/runtime/errors.ts'
import type { ByteLease } from './byte-budget.ts'
import type { CollectorSettings } from './config.ts'
import type { Environment } from './environment.ts'
import { eventDigests, idempotencyKeyFault, idempotentEventId } from './idempotency.ts'
import { judgeEvent, type Verdict } from './judge-event.ts'
import { hasSnapshots, type PackedChunk, packChunks } from './pack-chunks.ts'
import { type KeptIn, tookNothing } from './record-keeper.ts'
import { RequestRefusal } from './request-refusal.ts'
import type { SentEvent, SentRequest } from './sent-request.ts'

/** A request that was read and whose key was checked. */
export interface CollectRequest {
  readonly datasetId: string
  readonly protocol: Protocol
  readonly sent: SentRequest
  readonly ip: string | null
  readonly userAgent: string | null
  readonly traceparent: string
  readonly idempotencyKey: string | undefined
  /** Judge, and leave it at that. */
  readonly dryRun: boolean
  readonly lease: ByteLease
}

/** The answer of the native protocol: one result per event, in the order sent. */
export interface CollectAnswer {
  readonly accepted: number
  readonly rejected: number
  readonly results: readonly EventResult[]
}

export interface Collected {
  readonly answer: CollectAnswer
  /** Null for a dry run. */
  readonly keptIn: KeptIn | null
}

export interface EventResult {
  readonly event_id: string
  readonly status: 'accepted' | 'rejected'
  readonly code?: RejectionCode
  readonly detail?: string
}

interface JudgedEvent {
  readonly sent: SentEvent
  readonly verdict: Verdict
  readonly eventId: string
  /** Null for everything but an accepted chunk of a recording. */
  readonly chunk: PackedChunk | null
}

/** The records of a request, by where they go. */
interface RequestRecords {
  readonly events: readonly ProduceRecord[]
  readonly chunks: readonly ProduceRecord[]
}

/** A user agent stands in every record of its request, so it is kept short. */
const USER_AGENT_CHARS_MAX = 1000
/** What a record costs beside its value, roughly: key, headers, objects. */
const RECORD_OVERHEAD_BYTES = 300

/**
 * Judges each event, gives it an id, and puts it into `events.raw`: the good ones as they are, the others marked as
 * refused. Chunks of recordings leave here: a good one goes to `recordings.raw`. Answers when all of them are safe:
 * acknowledged by Kafka, or synced to the local store.
 *
 * @returns a refusal `not_taken` when nothing of it is kept anywhere, `unknown` when that cannot be known
 */
export async function collect(
  request: CollectRequest,
  settings: CollectorSettings,
  env: Environment,
): Promise<Collected | RequestRefusal> {
  const { verdicts, chunks } = await judge(request, settings, env)
  const ids = identify(request, verdicts, env)
  if (ids instanceof RequestRefusal) return ids
  const judged = request.sent.events.map((sent, index) => ({
    sent,
    verdict: verdicts[index]!,
    eventId: ids[index]!,
    chunk: chunks.get(index) ?? null,
  }))
  if (request.dryRun) return { answer: answer(judged), keptIn: null }

  const records = {
    events: encode(
      judged.filter(({ chunk }) => chunk === null),
      request,
      settings,
      env,
    ),
    chunks: encodeChunks(judged, request, env),
  }
  const keptIn = await keep(records, request, env)
  if (keptIn instanceof RequestRefusal) return keptIn
  env.metrics.acknowledged({ protocol: request.protocol, ...count(judged) })
  if (records.chunks.length > 0) env.metrics.recorded(records.chunks.length, valueBytes(records.chunks))
  return { answer: answer(judged), keptIn }
}

async function judge(
  { sent, datasetId, dryRun }: CollectRequest,
  settings: CollectorSettings,
  { recordings }: Environment,
): Promise<{ readonly verdicts: readonly Verdict[]; readonly chunks: ReadonlyMap<number, PackedChunk> }> {
  const verdicts = sent.events.map((event) => judgeEvent(event, settings))
  if (!hasSnapshots(verdicts)) return { verdicts, chunks: new Map() }
  const limits = { ...settings, recordBytesMax: recordings.recordBytesMax }
  return packChunks(sent.events, verdicts, limits, {
    compress: recordings.compress,
    mayTake: (sessionId, bytes) => dryRun || recordings.sessions.take(datasetId, sessionId, bytes),
  })
}

/** An id for every event: the client's own, else made from the Idempotency-Key, else a new one. */
function identify(
  { sent, datasetId, idempotencyKey, dryRun }: CollectRequest,
  verdicts: readonly Verdict[],
  env: Environment,
): readonly string[] | RequestRefusal {
  if (idempotencyKey === undefined) return verdicts.map(({ eventId }) => eventId ?? env.nextEventId())
  const fault = idempotencyKeyFault(idempotencyKey)
  if (fault !== null) return new RequestRefusal('invalid_header', fault, 'idempotency-key')
  const digests = eventDigests(
    datasetId,
    idempotencyKey,
    sent.events.map((event) => event.sent),
  )
  if (!dryRun && !env.idempotency.admit(datasetId, idempotencyKey, digests))
    return new RequestRefusal(
      'idempotency_conflict',
      'This Idempotency-Key was used for other events; use a new one.',
      'idempotency-key',
    )
  return verdicts.map(({ eventId }, index) => eventId ?? idempotentEventId(digests[index]!))
}

function encode(
  judged: readonly JudgedEvent[],
  request: CollectRequest,
  settings: CollectorSettings,
  env: Environment,
): ProduceRecord[] {
  const { datasetId, protocol, sent, ip, userAgent, traceparent } = request
  const encoder = rawEventEncoder({
    dataset_id: datasetId,
    collector_time: env.clock.now(),
    protocol,
    ip,
    user_agent: userAgent?.slice(0, USER_AGENT_CHARS_MAX) ?? null,
    sent_at: sent.sentAt,
  })
  return judged.map((event) => {
    const key = recordKey(datasetId, event.verdict.distinctId, event.eventId)
    return {
      topic: env.rawTopic,
      partition: partitionOf(key, env.rawPartitions),
      key,
      value: encodeValue(event, encoder, settings.payloadBytesMax),
      headers: rawHeaders(event.eventId, datasetId, traceparent),
    }
  })
}

function encodeChunks(
  judged: readonly JudgedEvent[],
  { datasetId, traceparent }: CollectRequest,
  { recordings, clock }: Environment,
): ProduceRecord[] {
  const collectorTime = clock.now()
  return judged.flatMap(({ chunk, eventId, verdict }) => {
    if (chunk === null) return []
    const { sessionId, windowId, library, events, bytes, compressed } = chunk
    const key = recordKey(datasetId, sessionId, eventId)
    const value = encodeChunkRecord(
      {
        v: 1,
        event_id: eventId,
        dataset_id: datasetId,
        session_id: sessionId,
        window_id: windowId,
        distinct_id: verdict.distinctId ?? '',
        collector_time: collectorTime,
        library,
        events,
        bytes,
      },
      compressed,
    )
    const headers = rawHeaders(eventId, datasetId, traceparent)
    return [
      { topic: recordings.topic, partition: partitionOf(key, recordings.partitions), key, value, headers },
    ]
  })
}

function encodeValue(
  { sent, verdict, eventId }: JudgedEvent,
  encoder: RawEventEncoder,
  payloadBytesMax: number,
) {
  if (verdict.refusal === null) return encoder.event(eventId, sent.stored)
  return encoder.refused(eventId, {
    code: verdict.refusal.code,
    details: [verdict.refusal.detail],
    payload: cutPayload(sent.sent, payloadBytesMax),
    payload_bytes: sent.sent.length,
    event: verdict.event,
    distinct_id: verdict.distinctId,
  })
}

async function keep(
  records: RequestRecords,
  { lease, protocol }: CollectRequest,
  env: Environment,
): Promise<KeptIn | RequestRefusal> {
  const all = [...records.events, ...records.chunks]
  if (!lease.take(valueBytes(all) + all.length * RECORD_OVERHEAD_BYTES)) {
    env.metrics.failed(protocol, all.length, 'not_taken')
    return new RequestRefusal('not_taken', 'Too much is under way; nothing of this request was taken.')
  }
  try {
    await env.failPoint('before_keep')
    const keptIn = await keepBoth(records, env)
    await env.failPoint('after_keep')
    return keptIn
  } catch (error) {
    if (!isDependencyError(error)) throw error
    const outcome = tookNothing(error) ? 'not_taken' : 'unknown'
    // A full store is told by its own gauge and alarm, once; the others one by one.
    if (outcome === 'unknown')
      env.logger.warn({ err: error, records: all.length }, 'A request’s records are not known to be kept.')
    else if (error.dependency === 'kafka')
      env.logger.error({ err: error, records: all.length }, 'Kafka refused a request’s records.')
    env.metrics.failed(protocol, all.length, outcome)
    return new RequestRefusal(
      outcome,
      outcome === 'unknown'
        ? 'Kafka did not acknowledge in time; each event is stored once or not at all. Send again with the same ids.'
        : 'No events can be taken at the moment; nothing of this request was taken.',
    )
  }
}

/**
 * Chunks come first: they never go to the store, so while Kafka is away a request that has any is refused before one of
 * its events is kept.
 */
async function keepBoth({ events, chunks }: RequestRecords, env: Environment): Promise<KeptIn> {
  if (chunks.length === 0) return env.keeper.keep(events)
  await env.recordings.keeper.keep(chunks)
  if (events.length === 0) return 'kafka'
  try {
    return await env.keeper.keep(events)
  } catch (error) {
    if (!tookNothing(error)) throw error
    throw new DependencyError('kafka', 'outcome_unknown', 'The chunks are kept, the events are not.', error)
  }
}

function valueBytes(records: readonly ProduceRecord[]): number {
  return records.reduce((sum, { value }) => sum + value!.length, 0)
}

function count(judged: readonly JudgedEvent[]) {
  const rejected = new Map<RejectionCode, number>()
  let accepted = 0
  for (const { verdict } of judged) {
    if (verdict.refusal === null) accepted++
    else rejected.set(verdict.refusal.code, (rejected.get(verdict.refusal.code) ?? 0) + 1)
  }
  return { accepted, rejected }
}

function answer(judged: readonly JudgedEvent[]): CollectAnswer {
  let accepted = 0
  const results = judged.map(({ verdict, eventId }): EventResult => {
    if (verdict.refusal !== null) return { event_id: eventId, status: 'rejected', ...verdict.refusal }
    accepted++
    return { event_id: eventId, status: 'accepted' }
  })
  return { accepted, rejected: results.length - accepted, results }
}
