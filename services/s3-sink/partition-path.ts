import { createHash } from 'node:crypto'
import { landedHour } from '../../schemas/manifest/v1.ts'
import { parsePartitionTemplate, type TemplatePart } from '../core/control/partition-template.ts'

/** What a path may name of one row. Times are ISO 8601 UTC text as the row has it. */
export interface PathValues {
  readonly dataset: string
  readonly event: string | null
  /** Epoch ms. */
  readonly landedMs: number
  readonly eventTime: string | null
  readonly collectorTime: string | null
}

export interface PartitionPath {
  /** Which times of a row the template names: the others need not be looked up. */
  readonly needs: { readonly eventTime: boolean; readonly collectorTime: boolean }
  /** Path of a row, without leading or trailing slash. */
  of(values: PathValues): string
}

/** Where a value is null, as Hive, Spark and Athena write it. */
const NULL_VALUE = '__HIVE_DEFAULT_PARTITION__'

/** A longer value, once escaped, is cut and ends in a part of its hash. Three of them and a name fit into a key. */
const VALUE_BYTES_MAX = 120

/**
 * The folder of a row under a delivery's `partition_by`. Values are escaped, so that no event name can leave its
 * folder or stand for another one.
 *
 * @throws Error for a template with a fault; configurations are checked before they are published
 */
export function partitionPath(template: string): PartitionPath {
  const parts = parsePartitionTemplate(template)
  if ('message' in parts) throw new Error(`partition_by is wrong at ${parts.position}: ${parts.message}.`)
  const pieces = parts.map(pieceOf)
  return {
    needs: {
      eventTime: parts.some(({ kind }) => kind === 'event_time'),
      collectorTime: parts.some(({ kind }) => kind === 'collector_time'),
    },
    of(values) {
      let path = ''
      for (const piece of pieces) path += piece(values)
      return path
    },
  }
}

function pieceOf(part: TemplatePart): (values: PathValues) => string {
  switch (part.kind) {
    case 'literal':
      return () => part.text
    case 'dataset':
      return ({ dataset }) => pathValue(dataset)
    case 'event':
      return ({ event }) => (event === null ? NULL_VALUE : pathValue(event))
    case 'landed':
      return byHour(part.format)
    case 'event_time':
      return ({ eventTime }) => (eventTime === null ? NULL_VALUE : formatTime(eventTime, part.format))
    case 'collector_time':
      return ({ collectorTime }) =>
        collectorTime === null ? NULL_VALUE : formatTime(collectorTime, part.format)
  }
}

/** Rows come in order of landed time, so the last answer is mostly the next one too. */
function byHour(format: string): (values: PathValues) => string {
  let lastHour = Number.NaN
  let lastText = ''
  return ({ landedMs }) => {
    const hour = landedHour(landedMs)
    if (hour !== lastHour) {
      lastHour = hour
      lastText = formatTime(new Date(landedMs).toISOString(), format)
    }
    return lastText
  }
}

function formatTime(iso: string, format: string): string {
  return format
    .replaceAll('yyyy', iso.slice(0, 4))
    .replaceAll('MM', iso.slice(5, 7))
    .replaceAll('dd', iso.slice(8, 10))
    .replaceAll('HH', iso.slice(11, 13))
}

/** Percent-escapes all but letters, digits, `_`, `-` and inner dots: different values stay different. */
export function pathValue(value: string): string {
  if (value.length <= VALUE_BYTES_MAX && /^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/.test(value)) return value
  let escaped = ''
  for (const byte of Buffer.from(value)) {
    // A leading dot would hide the folder, or leave it.
    const plain = isPlain(byte) || (byte === DOT && escaped !== '')
    escaped += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  if (escaped === '') return '%'
  if (escaped.length <= VALUE_BYTES_MAX) return escaped
  const hash = createHash('sha256').update(value).digest('hex').slice(0, 16)
  return `${escaped.slice(0, VALUE_BYTES_MAX - 18).replace(/%.?$/, '')}%~${hash}`
}

const DOT = 0x2e

/** Letters, digits, `_` and `-`. */
function isPlain(byte: number): boolean {
  const lower = byte | 0x20
  return (lower >= 0x61 && lower <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x5f || byte === 0x2d
}
