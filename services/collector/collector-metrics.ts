import type { Protocol } from '../../schemas/raw-event/v1.ts'
import type { RejectionCode } from '../../schemas/rejected-event/v1.ts'
import { LATENCY_BUCKETS, type Metrics } from '../core/runtime/metrics.ts'
import type { RequestRefusalCode } from './request-refusal.ts'

/** What became of the events of one request that was read. */
export interface EventCounts {
  readonly protocol: Protocol
  readonly accepted: number
  readonly rejected: ReadonlyMap<RejectionCode, number>
}

export interface CollectorMetrics {
  /** Kafka or the store has them: received = accepted + rejected. */
  acknowledged(counts: EventCounts): void
  /** Neither is known to: received = not taken, over quota or unknown. */
  failed(protocol: Protocol, events: number, outcome: 'not_taken' | 'over_quota' | 'unknown'): void
  /** Kafka has these chunks of recordings; they are among the events accepted, too. */
  recorded(chunks: number, bytes: number): void
  refused(code: RequestRefusalCode): void
  answered(seconds: number): void
  /** Of bodies that arrived whole, and of those that could be decompressed. */
  wireBytes(bytes: number): void
  decodedBytes(bytes: number): void
  inFlightBytes(bytes: number): void
}

/** Received = accepted + rejected + not taken + over quota + unknown, for every protocol, at any time. */
export function createCollectorMetrics(metrics: Metrics): CollectorMetrics {
  const received = metrics.counter(
    'millrace_collector_events_received_total',
    'Events of requests that were read and had a valid key.',
    ['protocol'],
  )
  const accepted = metrics.counter(
    'millrace_collector_events_accepted_total',
    'Events that Kafka acknowledged, or the local store holds, and that go on to the enricher; chunks of recordings, which do not, among them.',
    ['protocol'],
  )
  const rejected = metrics.counter(
    'millrace_collector_events_rejected_total',
    'Events refused inside an accepted request; kept as rejected, like the accepted ones.',
    ['protocol', 'code'],
  )
  const failed = metrics.counter(
    'millrace_collector_events_failed_total',
    'Events of requests answered 429 or 503 once they were read: over_quota and not_taken left nothing, unknown zero or one record each.',
    ['protocol', 'outcome'],
  )
  const recordedChunks = metrics.counter(
    'millrace_collector_recording_chunks_total',
    'Chunks of recordings that Kafka acknowledged.',
  )
  const recordedBytes = metrics.counter(
    'millrace_collector_recording_bytes_total',
    'Their bytes as they are stored, compressed.',
  )
  const refused = metrics.counter(
    'millrace_collector_requests_refused_total',
    'Requests answered with a status of 400 or more.',
    ['code'],
  )
  const seconds = metrics.histogram(
    'millrace_collector_request_seconds',
    'From the end of the headers to the answer, seconds.',
    LATENCY_BUCKETS,
  )
  const bytes = metrics.counter(
    'millrace_collector_body_bytes_total',
    'Bytes of request bodies: wire as they arrived, decoded after decompression.',
    ['state'],
  )
  const inFlight = metrics.gauge(
    'millrace_collector_in_flight_bytes',
    'Bytes of bodies and records held for requests under way.',
  )
  return {
    acknowledged({ protocol, accepted: good, rejected: bad }) {
      let events = good
      for (const [code, count] of bad) {
        events += count
        rejected.add(count, { protocol, code })
      }
      received.add(events, { protocol })
      if (good > 0) accepted.add(good, { protocol })
    },
    failed(protocol, events, outcome) {
      received.add(events, { protocol })
      failed.add(events, { protocol, outcome })
    },
    recorded(chunks, size) {
      recordedChunks.add(chunks)
      recordedBytes.add(size)
    },
    refused: (code) => refused.add(1, { code }),
    answered: (value) => seconds.observe(value),
    wireBytes: (value) => bytes.add(value, { state: 'wire' }),
    decodedBytes: (value) => bytes.add(value, { state: 'decoded' }),
    inFlightBytes: (value) => inFlight.set(value),
  }
}
