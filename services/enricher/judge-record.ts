import type { DedupeEntry } from '../../schemas/dedupe/v1.ts'
import type { JsonObject } from '../../schemas/field.ts'
import type { RejectedEvent, RejectionCode } from '../../schemas/rejected-event/v1.ts'
import { withExactNumbers } from '../core/event/exact-numbers.ts'
import { decodeRawEvent } from '../core/event/raw-event.ts'
import {
  type EventIdentity,
  eventIdentity,
  eventPayload,
  NO_PAYLOAD,
  refusalPayload,
  refusedKey,
} from './dedupe/event-identity.ts'
import { enrich, type Reference } from './enrich.ts'
import { type Members, readMembers } from './members.ts'
import {
  type RejectionPlace,
  rejectedByCollector,
  rejectedByEnricher,
  rejectedUnread,
} from './rejected-event.ts'
import type { DatasetRules, Rules } from './rules.ts'
import { READABLE_TIME_MAX_MS } from './timestamps.ts'

/** One record of `events.raw`. */
export interface RawRecord {
  readonly partition: number
  readonly offset: number
  /** Epoch ms, the broker's. */
  readonly appendTime: number
  readonly value: Buffer | null
  readonly eventIdHeader: string | null
  readonly datasetIdHeader: string | null
}

/** What is known of earlier events: those of the window, and those before this one in its own transaction. */
export interface KnownEvents {
  find(key: Buffer, payload: Buffer): 'equal' | 'other' | 'absent'
}

export interface RecordLimits {
  /** Largest enriched event, bytes of JSON. */
  readonly enrichedBytesMax: number
  /** How much of a refused event is kept, bytes. */
  readonly rejectedPayloadBytesMax: number
}

/** What becomes of one raw record. Whatever it is, the record is done with. */
export type Judgement =
  | { readonly outcome: 'duplicate' }
  | {
      readonly outcome: 'enriched'
      readonly eventId: string
      readonly datasetId: string
      readonly event: string
      readonly recipe: string
      readonly value: Buffer
      readonly remember: Omit<DedupeEntry, 'time'>
    }
  | {
      readonly outcome: 'rejected'
      readonly rejected: RejectedEvent
      /** Null where there is no id to remember. */
      readonly remember: Omit<DedupeEntry, 'time'> | null
    }

/** Decode → validate → dedupe → enrich, for one record. Pure, and never throws because of what the record holds. */
export function judgeRecord(
  record: RawRecord,
  rules: Rules,
  known: KnownEvents,
  reference: Reference,
  limits: RecordLimits,
): Judgement {
  const decoded = decodeRawEvent(record.value)
  if (!decoded.ok) return unread(record, 'undecodable', [decoded.detail], rules, limits)
  const { raw } = decoded
  if (raw.collector_time > READABLE_TIME_MAX_MS)
    return unread(record, 'undecodable', ['collector_time lies after the year 2299.'], rules, limits)
  const dataset = rules.ofDataset(raw.dataset_id)
  const place = placeOf(record, dataset, limits)

  if (raw.refused) {
    const { refused } = raw
    const identity = eventIdentity(raw.dataset_id, raw.event_id, refusalPayload(refused))
    return refuse(identity, known, () => rejectedByCollector(raw, refused, place))
  }
  const event = raw.event as unknown as JsonObject
  const checked = validate(event, dataset, record.value as Buffer)
  const identity = eventIdentity(raw.dataset_id, raw.event_id, eventPayload(event))
  const written = () => withExactNumbers(record.value as Buffer, event)
  const refuseWith = (code: RejectionCode, details: readonly string[]) =>
    refuse(identity, known, () => rejectedByEnricher(raw, written(), code, details, place))

  if ('code' in checked) return refuseWith(checked.code, checked.details)
  const held = known.find(identity.key, identity.payload)
  if (held === 'equal') return DUPLICATE
  if (held === 'other')
    return refuseWith('id_conflict', [
      `event_id: ${JSON.stringify(raw.event_id).slice(0, 210)} was taken by another event of this dataset`,
    ])
  // Refused before with this very payload, by rules that were others then: it has its place already.
  if (known.find(refusedKey(identity), NO_PAYLOAD) !== 'absent') return DUPLICATE

  const enriched = enrich(
    {
      raw,
      members: checked.members,
      event: written(),
      partition: record.partition,
      offset: record.offset,
      recipe: dataset.recipe,
      schemaHash: checked.schemaHash,
      schemaFlag: checked.schemaFlag,
    },
    dataset,
    reference,
  )
  const value = Buffer.from(JSON.stringify(enriched))
  if (value.length > limits.enrichedBytesMax)
    return refuseWith('too_large', [
      `the enriched event has ${value.length} bytes; at most ${limits.enrichedBytesMax} are written`,
    ])
  return {
    outcome: 'enriched',
    eventId: raw.event_id,
    datasetId: raw.dataset_id,
    event: checked.members.event,
    recipe: dataset.recipe,
    value,
    remember: { key: identity.key, payload: identity.payload },
  }
}

/** A record that is not looked at any more, because looking at it ended the process again and again. */
export function quarantine(
  record: RawRecord,
  attempts: number,
  rules: Rules,
  limits: RecordLimits,
): Judgement {
  const detail = `The enricher ended ${attempts} times while it worked on this record, which is therefore set aside.`
  return unread(record, 'quarantined', [detail], rules, limits)
}

const DUPLICATE: Judgement = { outcome: 'duplicate' }

interface Checked {
  readonly members: Members
  readonly schemaHash: string | null
  readonly schemaFlag: 'unknown_event' | null
}

/** Types first, then the dataset's policy for the name, then the registered schema. */
function validate(
  event: JsonObject,
  dataset: DatasetRules,
  value: Buffer,
): Checked | { readonly code: RejectionCode; readonly details: readonly string[] } {
  const members = readMembers(event)
  if ('details' in members) return members
  const schema = dataset.schemaOf(members.event)
  if (schema === null) {
    if (dataset.unknown_events === 'reject')
      return { code: 'unknown_event', details: ['event: no schema is registered for this name'] }
    const schemaFlag = dataset.unknown_events === 'flag' ? 'unknown_event' : null
    return { members, schemaHash: null, schemaFlag }
  }
  const details = schema.violations((event.properties as JsonObject | null | undefined) ?? {}, value.length)
  if (details.length > 0) return { code: 'schema_violation', details }
  return { members, schemaHash: schema.hash, schemaFlag: null }
}

/** A refused event occupies only (id, payload). The equal of an accepted one is a duplicate, whatever the rules say by now. */
function refuse(identity: EventIdentity, known: KnownEvents, rejected: () => RejectedEvent): Judgement {
  if (known.find(identity.key, identity.payload) === 'equal') return DUPLICATE
  const key = refusedKey(identity)
  if (known.find(key, NO_PAYLOAD) !== 'absent') return DUPLICATE
  return { outcome: 'rejected', rejected: rejected(), remember: { key, payload: NO_PAYLOAD } }
}

function unread(
  record: RawRecord,
  code: RejectionCode,
  details: readonly string[],
  rules: Rules,
  limits: RecordLimits,
): Judgement {
  const place = placeOf(record, rules.ofDataset(record.datasetIdHeader ?? ''), limits)
  const headers = { eventId: record.eventIdHeader, datasetId: record.datasetIdHeader }
  const rejected = rejectedUnread(record.value, headers, record.appendTime, code, details, place)
  return { outcome: 'rejected', rejected, remember: null }
}

function placeOf(record: RawRecord, dataset: DatasetRules, limits: RecordLimits): RejectionPlace {
  return {
    partition: record.partition,
    offset: record.offset,
    recipe: dataset.recipe,
    ip: dataset.ip,
    payloadBytesMax: limits.rejectedPayloadBytesMax,
  }
}
