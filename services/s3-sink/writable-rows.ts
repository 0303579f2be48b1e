import type { Disk } from './disk.ts'
import { openRowStats, type RowStats } from './row-stats.ts'

/** Tries to write a file of JSON Lines. @returns null when it can be written, else the reason */
export type TryEncode = (file: string, rows: number) => Promise<string | null>

/** Lines are gathered to this many bytes before they are written. */
const WRITE_BYTES = 1024 * 1024

/**
 * Finds the rows that keep a whole object from being written, by halves, and leaves the others in a file of their
 * own. Slow, and only for batches that cannot be written as they are. What is found depends on the rows alone, so a
 * replay finds the same.
 *
 * @param lines   JSON Lines in order
 * @param to      file to make; names that begin with it are used too
 * @param countOf tells a row's dataset and time, for the statistics of what is left
 * @param reject  told of each row that cannot be written, in order
 * @returns the statistics of the rows in `to`
 */
export async function keepWritableRows(
  disk: Disk,
  lines: AsyncIterable<Buffer>,
  to: string,
  tryEncode: TryEncode,
  countOf: (line: Buffer) => { readonly dataset: string; readonly time: string },
  reject: (line: Buffer, reason: string) => void,
): Promise<RowStats> {
  const all = `${to}.all`
  const part = `${to}.part`
  try {
    const ends = await copyLines(disk, lines, all)

    const faults = new Map<number, string>()
    const search = async (first: number, last: number): Promise<void> => {
      if (first > last) return
      const copy = appender(disk, part)
      for await (const chunk of disk.read(all, first === 0 ? 0 : ends[first - 1], ends[last]))
        await copy.add(chunk)
      await copy.flush()
      const reason = await tryEncode(part, last - first + 1)
      if (reason === null) return
      if (first === last) {
        faults.set(first, reason)
        return
      }
      const middle = (first + last) >>> 1
      await search(first, middle)
      await search(middle + 1, last)
    }
    await search(0, ends.length - 1)

    const stats = openRowStats()
    const kept = appender(disk, to)
    let row = 0
    for await (const line of linesOf(disk.read(all))) {
      const bare = line.subarray(0, -1)
      const fault = faults.get(row++)
      if (fault !== undefined) {
        reject(Buffer.from(bare), fault)
        continue
      }
      const { dataset, time } = countOf(bare)
      stats.count(dataset, time)
      stats.hash(line)
      await kept.add(line)
    }
    await kept.flush()
    return stats
  } finally {
    await disk.remove(all, part)
  }
}

/** @returns where each line ends in the copy, its newline included */
async function copyLines(disk: Disk, lines: AsyncIterable<Buffer>, to: string): Promise<number[]> {
  const ends: number[] = []
  let size = 0
  const copy = appender(disk, to)
  for await (const chunk of lines) {
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) ends.push(size + at + 1)
    await copy.add(chunk)
    size += chunk.length
  }
  await copy.flush()
  return ends
}

/** Writes a new file piece by piece. An empty one is made, too. */
function appender(disk: Disk, file: string) {
  let pending: Buffer[] = []
  let [pendingBytes, at] = [0, 0]
  const flush = async (): Promise<void> => {
    if (pendingBytes === 0 && at > 0) return
    await disk.write(file, at, Buffer.concat(pending))
    at += pendingBytes
    pending = []
    pendingBytes = 0
  }
  return {
    flush,
    async add(bytes: Buffer): Promise<void> {
      pending.push(bytes)
      pendingBytes += bytes.length
      if (pendingBytes >= WRITE_BYTES) await flush()
    },
  }
}

/** Cuts what is read into its lines, each with its newline. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (let end = bytes.indexOf(0x0a); end !== -1; end = bytes.indexOf(0x0a)) {
      yield bytes.subarray(0, end + 1)
      bytes = bytes.subarray(end + 1)
    }
    rest = bytes
  }
}
