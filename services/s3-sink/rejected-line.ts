/** Rows that cannot be written lie in the spool under a name that no partition path can have. */
export const REJECTED_PATH = '\0rejected'

/** A line of the rejected object: why, and the row itself, as text where it is UTF-8 and in base64 where it is not. */
export function rejectedLine(row: Buffer, reason: string): Buffer {
  const text = row.toString()
  const isUtf8 = Buffer.from(text).equals(row)
  const line = isUtf8 ? { reason, row: text } : { reason, row_base64: row.toString('base64') }
  return Buffer.from(JSON.stringify(line))
}
