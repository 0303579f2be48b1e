import { open, rm } from 'node:fs/promises'
import { onDisk } from './disk-errors.ts'
import { openRowStats, type RowStats } from './row-stats.ts'

/** Tries to write a file of JSON Lines. @returns null when it can be written, else the reason */
export type TryEncode = (file: string, rows: number) => Promise<string | null>

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
  lines: AsyncIterable<Buffer>,
  to: string,
  tryEncode: TryEncode,
  countOf: (line: Buffer) => { readonly dataset: string; readonly time: string },
  reject: (line: Buffer, reason: string) => void,
): Promise<RowStats> {
  const all = `${to}.all`
  const part = `${to}.part`
  try {
    const ends = await copyLines(lines, all)
    const rangeOf = (first: number, last: number) =>
      [first === 0 ? 0 : ends[first - 1]!, ends[last]!] as const

    const faults = new Map<number, string>()
    const search = async (first: number, last: number): Promise<void> => {
      if (first > last) return
      await copyRange(all, part, ...rangeOf(first, last))
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
    const kept = await onDisk(`Writing ${to}`, () => open(to, 'w'))
    const source = await open(all, 'r')
    try {
      for (let row = 0; row < ends.length; row++) {
        const [start, end] = rangeOf(row, row)
        const line = Buffer.allocUnsafe(end - start)
        await source.read(line, 0, line.length, start)
        const bare = line.subarray(0, -1)
        const fault = faults.get(row)
        if (fault !== undefined) {
          reject(bare, fault)
          continue
        }
        const { dataset, time } = countOf(bare)
        stats.count(dataset, time)
        stats.hash(line)
        await onDisk(`Writing ${to}`, () => kept.writeFile(line))
      }
    } finally {
      await Promise.all([kept.close(), source.close()])
    }
    return stats
  } finally {
    await Promise.all([rm(all, { force: true }), rm(part, { force: true })])
  }
}

/** @returns where each line ends in the copy, its newline included */
async function copyLines(lines: AsyncIterable<Buffer>, to: string): Promise<number[]> {
  const ends: number[] = []
  let size = 0
  const handle = await onDisk(`Writing ${to}`, () => open(to, 'w'))
  try {
    for await (const chunk of lines) {
      for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) ends.push(size + at + 1)
      await onDisk(`Writing ${to}`, () => handle.writeFile(chunk))
      size += chunk.length
    }
  } finally {
    await handle.close()
  }
  return ends
}

async function copyRange(from: string, to: string, start: number, end: number): Promise<void> {
  const [source, target] = [await open(from, 'r'), await onDisk(`Writing ${to}`, () => open(to, 'w'))]
  try {
    for (let at = start; at < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(1024 * 1024, end - at))
      const { bytesRead } = await source.read(buffer, 0, buffer.length, at)
      await onDisk(`Writing ${to}`, () => target.writeFile(buffer.subarray(0, bytesRead)))
      at += bytesRead
    }
  } finally {
    await Promise.all([source.close(), target.close()])
  }
}
