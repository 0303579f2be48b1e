import type { RecordBatch } from '../core/kafka/log.ts'
import { HEADERS } from '../core/kafka/topics.ts'

/** What a record of a topic is to the sink. */
export type RecordKind =
  | { readonly kind: 'row'; readonly line: Buffer; readonly srcOffset: number }
  /** Carries no event: a tick or a tombstone. */
  | { readonly kind: 'skipped' }
  /** Cannot become a row; kept in a table of its own with the reason. */
  | { readonly kind: 'undecodable'; readonly reason: string }

/**
 * Looks at a record without parsing it. Whether its JSON fits the table shows when it is inserted.
 *
 * @param version   major version of the rows that the table takes
 * @param srcBefore highest raw offset so far; a source comes once and in order, and rows are counted by it
 */
export function checkRecord(
  records: RecordBatch,
  index: number,
  version: number,
  srcBefore: number,
): RecordKind {
  const line = records.value(index)
  if (line === null || records.header(index, HEADERS.tick) !== null) return { kind: 'skipped' }
  const undecodable = (reason: string) => ({ kind: 'undecodable', reason }) as const
  const source = /^(\d{1,10}):(\d{1,16})$/.exec(records.header(index, HEADERS.source) ?? '')
  if (!source) return undecodable('It has no source header.')
  const srcOffset = Number(source[2])
  if (Number(source[1]) !== records.partition)
    return undecodable(`It comes from raw partition ${source[1]}, not from ${records.partition}.`)
  if (!Number.isSafeInteger(srcOffset) || srcOffset <= srcBefore)
    return undecodable(`Its source ${source[0]} came before, or a later one did.`)
  const schema = records.header(index, HEADERS.schema)
  if (schema !== String(version))
    return undecodable(`Its shape is ${schema ?? 'not named'}, this table takes ${version}.`)
  const isLine =
    line[0] === 0x7b && line[line.length - 1] === 0x7d && !line.includes(0x0a) && !line.includes(0x0d)
  if (!isLine) return undecodable('It is not one JSON object on one line.')
  // Counting rows by source needs the row itself to say what its header says.
  if (!line.includes(`"src_offset":${srcOffset},`) && !line.includes(`"src_offset":${srcOffset}}`))
    return undecodable('Its src_offset is not that of its header.')
  return { kind: 'row', line, srcOffset }
}
