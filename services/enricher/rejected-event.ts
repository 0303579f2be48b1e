import type { JsonObject } from '../../schemas/field.ts'
import type { RawEvent, Refusal } from '../../schemas/raw-event/v1.ts'
import {
  REJECTED_EVENT_VERSION,
  type RejectedEvent,
  type RejectionCode,
} from '../../schemas/rejected-event/v1.ts'
import { cutPayload } from '../core/event/cut-payload.ts'
import { distinctIdOf } from '../core/event/raw-event.ts'
import { applyIpPolicy, type IpPolicy } from './enrichments/ip-privacy.ts'
import { isObject } from './is-object.ts'
import { EVENT_NAME_CHARACTERS_MAX } from './members.ts'
import { writeTime } from './timestamps.ts'

/** Where a rejected event comes from and under which rules it was refused. */
export interface RejectionPlace {
  readonly partition: number
  readonly offset: number
  readonly recipe: string
  readonly ip: IpPolicy
  readonly payloadBytesMax: number
}

/** Characters kept of what nobody has checked: an id, a name, a detail. */
const TEXT_CHARACTERS_MAX = 1_000
const DETAILS_MAX = 50

/** An event that the collector refused inside a request that it accepted. */
export function rejectedByCollector(raw: RawEvent, refused: Refusal, place: RejectionPlace): RejectedEvent {
  return rejected(raw, 'collector', refused.code, refused.details, place, {
    event: refused.event,
    distinctId: refused.distinct_id,
    payload: cutPayload(Buffer.from(refused.payload), place.payloadBytesMax),
    payloadBytes: refused.payload_bytes,
  })
}

/**
 * An event that the enricher refuses.
 *
 * @param event as it is written; the address in its context is treated as the dataset's privacy settings say
 */
export function rejectedByEnricher(
  raw: RawEvent,
  event: JsonObject,
  code: RejectionCode,
  details: readonly string[],
  place: RejectionPlace,
): RejectedEvent {
  const payload = Buffer.from(JSON.stringify(withoutAddress(event, place.ip)))
  return rejected(raw, 'enricher', code, details, place, {
    event: typeof event.event === 'string' ? event.event : null,
    distinctId: distinctIdOf(event),
    payload: cutPayload(payload, place.payloadBytesMax),
    payloadBytes: payload.length,
  })
}

/**
 * A raw record of which nothing can be read, or must not be looked at any more. Its ids are those of the record's
 * headers where it has them; a dataset of '' is nobody's, since no dataset can be called that.
 *
 * @param appendTime of the raw record, epoch ms: stands for the time of its collection
 */
export function rejectedUnread(
  value: Buffer | null,
  headers: { readonly eventId: string | null; readonly datasetId: string | null },
  appendTime: number,
  code: RejectionCode,
  details: readonly string[],
  place: RejectionPlace,
): RejectedEvent {
  const envelope = {
    event_id: headers.eventId || `raw-${place.partition}-${place.offset}`,
    dataset_id: headers.datasetId ?? '',
    collector_time: appendTime,
    protocol: 'unknown',
    ip: null,
    user_agent: null,
  }
  return rejected(envelope, 'enricher', code, details, place, {
    event: null,
    distinctId: null,
    payload: value === null ? '' : cutPayload(value, place.payloadBytesMax),
    payloadBytes: value?.length ?? 0,
  })
}

interface Refused {
  readonly event: string | null
  readonly distinctId: string | null
  readonly payload: string
  readonly payloadBytes: number
}

function rejected(
  envelope: Pick<RawEvent, 'event_id' | 'dataset_id' | 'collector_time' | 'ip' | 'user_agent'> & {
    readonly protocol: string
  },
  stage: 'collector' | 'enricher',
  code: RejectionCode,
  details: readonly string[],
  place: RejectionPlace,
  what: Refused,
): RejectedEvent {
  return {
    schema_version: REJECTED_EVENT_VERSION,
    event_id: cut(envelope.event_id, TEXT_CHARACTERS_MAX),
    dataset_id: cut(envelope.dataset_id, TEXT_CHARACTERS_MAX),
    event: what.event === null ? null : cut(what.event, EVENT_NAME_CHARACTERS_MAX),
    distinct_id: what.distinctId === null ? null : cut(what.distinctId, TEXT_CHARACTERS_MAX),
    collector_time: writeTime(envelope.collector_time),
    stage,
    code,
    details: details.slice(0, DETAILS_MAX).map((detail) => cut(detail, TEXT_CHARACTERS_MAX)),
    payload: what.payload,
    payload_bytes: what.payloadBytes,
    protocol: envelope.protocol,
    ip: applyIpPolicy(envelope.ip, place.ip),
    user_agent: envelope.user_agent === null ? null : cut(envelope.user_agent, TEXT_CHARACTERS_MAX),
    src_partition: place.partition,
    src_offset: place.offset,
    recipe: place.recipe,
  }
}

function cut(text: string, charactersMax: number): string {
  return text.length <= charactersMax ? text : text.slice(0, charactersMax).toWellFormed()
}

/** An address that the client named itself is one all the same. */
function withoutAddress(event: JsonObject, policy: IpPolicy): JsonObject {
  const { context } = event
  if (policy === 'keep' || !isObject(context) || typeof context.ip !== 'string') return event
  return { ...event, context: { ...context, ip: applyIpPolicy(context.ip, policy) } }
}
