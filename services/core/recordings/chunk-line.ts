import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'

const compress = promisify(gzip)
const decompress = promisify(gunzip)

/** The line of a chunk with its newline. No line break is in it but the last: JSON escapes those in text. */
export function chunkLine(windowId: string, events: readonly unknown[]): Buffer {
  return Buffer.from(`${lineHead(windowId)}${JSON.stringify(events)}}\n`)
}

/** The rrweb events of a line as JSON text, without the brackets around them; nothing is parsed. */
export function eventsText(line: Buffer, windowId: string): string {
  const head = lineHead(windowId)
  const text = line.toString('utf8')
  if (!text.startsWith(`${head}[`) || !text.endsWith(']}\n'))
    throw new Error('This is not the line of a chunk of that window.')
  return text.slice(head.length + 1, -3)
}

function lineHead(windowId: string): string {
  return `{"window_id":${JSON.stringify(windowId)},"data":`
}

/** Makes a gzip member of a line. */
export type CompressLine = (line: Buffer) => Promise<Buffer>

/** A gzip member. Members one after another are a gzip file, so lines are put together without touching them. */
export function compressLine(line: Buffer): Promise<Buffer> {
  return compress(line)
}

/**
 * @param bytes what the line has before compression, as its chunk says
 * @throws Error when it is no gzip member of a text of that size
 */
export async function decompressLine(compressed: Uint8Array, bytes: number): Promise<Buffer> {
  const line = await decompress(compressed, { maxOutputLength: Math.max(1, bytes) })
  if (line.length !== bytes)
    throw new Error(`The line has ${line.length} bytes and was said to have ${bytes}.`)
  return line
}
