import { crc32 } from 'node:zlib'
import { DependencyError } from '../runtime/errors.ts'

/** What a batch is written under, kept by hash or id in its plan so that a replay runs under the same. */
export interface Pinned {
  /** Hash of the configuration object (a delivery, a table set). At most 64 characters. */
  readonly config: string
  /** Id of the encoder or insert settings, its version included. At most 64 characters. */
  readonly settings: string
  /** Offset of the control topic in force. */
  readonly controlOffset: number
}

/** Where delivery of one partition stands: everything before `offset` has had its effect. */
export interface Progress {
  /** Next offset to read: the end of the last delivered range + 1. */
  readonly offset: number
  /** Highest raw offset among the events read so far; -1 when there was none. */
  readonly src: number
  /** Running maximum of record timestamps, epoch ms; 0 when there was none. */
  readonly landed: number
  /** What the sink wants handed on to its next batch, e.g. a hash to chain on. At most {@link CARRY_BYTES_MAX} bytes. */
  readonly carry: string
}

/** One batch, decided: committed before its effect begins, together with its start offset. */
export interface Plan extends Pinned {
  /** First offset covered: the end of the range before + 1, whether or not a record has that offset. */
  readonly start: number
  /** Last offset covered: that of the last record. */
  readonly end: number
  /** Tells this plan from another one of the same range. */
  readonly nonce: string
  readonly topicId: string
  /** Records in the range, those without an event included. */
  readonly rows: number
  /** SHA-256 over offset, timestamp, length and value of every record, hex. */
  readonly digest: string
  /** As in {@link Progress}, after this range. */
  readonly src: number
  readonly landed: number
  /** The same before this range: a replay starts from them. */
  readonly srcBefore: number
  readonly landedBefore: number
  /** Handed on by the range before. */
  readonly carry: string
}

/** What the metadata of a committed offset says. */
export type Committed =
  | { readonly kind: 'done'; readonly progress: Progress }
  | { readonly kind: 'plan'; readonly plan: Plan }

/** Kafka refuses offset metadata above its `offset.metadata.max.bytes`, 4096 by default; ours stays far below. */
export const METADATA_BYTES_MAX = 1024
export const CARRY_BYTES_MAX = 256

const VERSION = 1

/** @throws Error when the text would be longer than {@link METADATA_BYTES_MAX}: a sink with too long ids */
export function encodePlan(plan: Plan): string {
  const { start: _, ...rest } = plan
  return seal({ v: VERSION, plan: rest })
}

/** @throws Error when the text would be longer than {@link METADATA_BYTES_MAX} */
export function encodeProgress(progress: Progress): string {
  const { offset: _, ...rest } = progress
  return seal({ v: VERSION, done: rest })
}

/**
 * Reads the metadata of a committed offset back. Empty metadata is what other tools leave when they move a group:
 * a position with nothing known about it.
 *
 * @throws DependencyError `corrupt` for text that is not ours, is damaged, or was written by a newer version
 */
export function decodeCommitted(offset: number, metadata: string): Committed {
  if (metadata === '') return { kind: 'done', progress: { offset, src: -1, landed: 0, carry: '' } }
  const wrong = (why: string, cause?: unknown) =>
    new DependencyError('kafka', 'corrupt', `The metadata committed with offset ${offset} ${why}.`, cause)
  const [sum, body] = [metadata.slice(0, 8), metadata.slice(9)]
  if (checksum(body) !== sum) throw wrong('was not written by millrace or is damaged')
  let parsed: { v?: unknown; plan?: Omit<Plan, 'start'>; done?: Omit<Progress, 'offset'> }
  try {
    parsed = JSON.parse(body)
  } catch (error) {
    throw wrong('is not JSON', error)
  }
  if (parsed.v !== VERSION) throw wrong(`has version ${parsed.v}, this program reads ${VERSION}`)
  if (parsed.plan) return { kind: 'plan', plan: { ...parsed.plan, start: offset } }
  if (parsed.done) return { kind: 'done', progress: { ...parsed.done, offset } }
  throw wrong('says neither plan nor done')
}

function seal(value: object): string {
  const body = JSON.stringify(value)
  const text = `${checksum(body)} ${body}`
  const size = Buffer.byteLength(text)
  if (size > METADATA_BYTES_MAX)
    throw new Error(`Offset metadata has ${size} bytes, at most ${METADATA_BYTES_MAX} are allowed: ${body}`)
  return text
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0')
}
