import type { IdentityRecord } from '../../../schemas/identity-record/v1.ts'
import type { ProduceRecord } from '../kafka/log.ts'
import { partitionOf } from '../kafka/partition.ts'
import { HEADERS } from '../kafka/topics.ts'
import { parseExactly } from './exact-numbers.ts'

/**
 * A record for `events.identity`: all of one dataset in one partition, in the order in which they are sent.
 *
 * @param topic      `events.identity` under its name here
 * @param partitions its partition count
 */
export function identityProduceRecord(
  topic: string,
  partitions: number,
  record: IdentityRecord,
): ProduceRecord {
  const key = Buffer.from(record.dataset_id)
  return {
    topic,
    partition: partitionOf(key, partitions),
    key,
    value: Buffer.from(JSON.stringify(record)),
    headers: { [HEADERS.eventId]: record.event_id, [HEADERS.datasetId]: record.dataset_id },
  }
}

/** Undecodable is a value, not an error: whatever lies in the topic, its offset moves on. */
export type DecodedIdentityRecord =
  | { readonly ok: true; readonly record: IdentityRecord }
  | { readonly ok: false; readonly detail: string }

/** Reads the value of a record in `events.identity`. Digits of numbers stay as they were sent. Never throws. */
export function decodeIdentityRecord(value: Buffer | null): DecodedIdentityRecord {
  if (value === null) return { ok: false, detail: 'The record has no value.' }
  let parsed: unknown
  try {
    parsed = parseExactly(value)
  } catch (error) {
    return { ok: false, detail: `The value is not JSON: ${(error as Error).message}.` }
  }
  const fault = recordFault(parsed)
  return fault === null ? { ok: true, record: parsed as IdentityRecord } : { ok: false, detail: fault }
}

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isName: Check = (value) => typeof value === 'string' && value !== ''
const isTime: Check = (value) => typeof value === 'number' && Number.isSafeInteger(value)
const isObject: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
const isTexts: Check = (value) => Array.isArray(value) && value.every(isText)
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
const objectOf =
  (members: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && wrongMember(value as Record<string, unknown>, members) === null

const ENVELOPE = {
  v: (value: unknown) => value === 1,
  dataset_id: isName,
  event_id: isText,
  collector_time: isTime,
}

const EVENT = {
  ...ENVELOPE,
  event: isText,
  event_time: isTime,
  src_partition: isTime,
  src_offset: isTime,
  distinct_id: isText,
  merge: optional(
    objectOf({
      by: (by) => by === 'identify' || by === 'alias' || by === 'merge_dangerously',
      other_id: isText,
    }),
  ),
  set: optional(isObject),
  set_once: optional(isObject),
  unset: optional(isTexts),
  initial: optional((value) => isObject(value) && Object.values(value as object).every(isText)),
  group_types: optional(isTexts),
  group: optional(objectOf({ type: isText, key: isText, set: isObject })),
  no_profile: optional((value) => value === true),
}

const COMMANDS: Readonly<Record<string, Readonly<Record<string, Check>>>> = {
  set: { person_key: isName, properties: isObject },
  replace: { person_key: isName, properties: isObject },
  unset: { person_key: isName, keys: isTexts },
  merge: { person_key: isName, other_person_key: isName },
  split: { person_key: isName, main_distinct_id: (value) => value === null || isText(value) },
  delete: { person_key: isName, delete_events: optional((value) => value === true) },
  delete_events: { person_key: isName },
}

const COMMAND = {
  ...ENVELOPE,
  actor: isText,
  command(value: unknown) {
    const name = (value as { readonly name?: unknown } | null)?.name
    const members = typeof name === 'string' && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    return members !== undefined && objectOf(members)(value)
  },
}

/** What is wrong with it, one sentence; null when nothing is. */
function recordFault(parsed: unknown): string | null {
  if (!isObject(parsed)) return 'The value is not an object.'
  const record = parsed as Record<string, unknown>
  const members = record.kind === 'event' ? EVENT : record.kind === 'command' ? COMMAND : null
  if (members === null) return 'kind is neither event nor command.'
  const wrong = wrongMember(record, members)
  return wrong === null ? null : `${wrong} is missing or not what it must be.`
}

function wrongMember(
  value: Readonly<Record<string, unknown>>,
  members: Readonly<Record<string, Check>>,
): string | null {
  return Object.keys(members).find((name) => !members[name]?.(value[name])) ?? null
}
