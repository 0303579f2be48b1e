const QUOTE = 0x22
const NEWLINE = 0x0a

/**
 * Counts the records of a CSV file (RFC 4180, records end in LF or CRLF): line ends inside quotes are part of a value.
 * A doubled quote leaves and enters the quotes again, so it needs no rule of its own.
 */
export function csvRecordCounter() {
  let records = 0
  let quoted = false
  let open = false
  return {
    take(chunk: Buffer): void {
      for (const byte of chunk) {
        if (byte === QUOTE) quoted = !quoted
        else if (byte === NEWLINE && !quoted) {
          records++
          open = false
          continue
        }
        open = true
      }
    },
    /** @throws Error when the file ends inside a quoted value */
    end(): number {
      if (quoted) throw new Error('it ends inside a quoted value')
      return open ? records + 1 : records
    },
  }
}
