import { createHash } from 'node:crypto'

/** What a manifest says about the rows of one object, gathered as they are added. */
export interface RowStats {
  readonly rows: number
  /** Rows as JSON Lines, newlines included. */
  readonly bytes: number
  readonly datasets: Readonly<Record<string, number>>
  /** ISO 8601 UTC text; '' when there is no row. */
  readonly minTime: string
  readonly maxTime: string
  /** @param time ISO 8601 UTC text of one width, so that text order is time order */
  count(dataset: string, time: string): void
  /** Lines in the order of the rows, each with its newline. */
  hash(lines: Uint8Array): void
  /** SHA-256 of the lines, hex. May be asked at any time. */
  digest(): string
}

export function openRowStats(): RowStats {
  const hash = createHash('sha256')
  const datasets = new Map<string, number>()
  let [rows, bytes, minTime, maxTime] = [0, 0, '', '']
  return {
    get rows() {
      return rows
    },
    get bytes() {
      return bytes
    },
    get datasets() {
      return Object.fromEntries([...datasets].sort(([a], [b]) => (a < b ? -1 : 1)))
    },
    get minTime() {
      return minTime
    },
    get maxTime() {
      return maxTime
    },
    count(dataset, time) {
      rows++
      datasets.set(dataset, (datasets.get(dataset) ?? 0) + 1)
      if (minTime === '' || time < minTime) minTime = time
      if (time > maxTime) maxTime = time
    },
    hash(lines) {
      bytes += lines.length
      hash.update(lines)
    },
    digest: () => hash.copy().digest('hex'),
  }
}
