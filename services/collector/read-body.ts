import type { Readable } from 'node:stream'
import zlib from 'node:zlib'
import type { ByteLease } from './byte-budget.ts'
import type { Coding } from './content.ts'
import { RequestRefusal } from './request-refusal.ts'

export interface BodyLimits {
  readonly wireBytesMax: number
  readonly bodyBytesMax: number
}

/**
 * Reads a request's body into memory and takes its coding off. Every byte is counted against the limits and the
 * lease as it comes, so neither a body without end nor a compression bomb holds more than its limit and one chunk.
 *
 * A body that names no coding and begins like gzip is gzip: some clients compress and do not say so.
 *
 * @param source        the request; what is left of it is discarded when it is refused
 * @param contentLength the header as a number; NaN when there is none
 * @param onWire        told how many bytes came, once the body is whole
 * @returns never rejects
 */
export async function readBody(
  source: Readable,
  contentLength: number,
  coding: Coding | null,
  limits: BodyLimits,
  lease: ByteLease,
  onWire: (bytes: number) => void,
): Promise<Buffer | RequestRefusal> {
  const wire = await readWire(source, contentLength, limits.wireBytesMax, lease)
  if (wire instanceof RequestRefusal) return wire
  onWire(wire.length)
  const named = coding ?? (wire.length > 2 && wire[0] === 0x1f && wire[1] === 0x8b ? 'gzip' : null)
  if (named !== null) return decompress(wire, named, limits.bodyBytesMax, lease)
  return wire.length > limits.bodyBytesMax ? tooLarge(limits.bodyBytesMax) : wire
}

function readWire(
  source: Readable,
  contentLength: number,
  bytesMax: number,
  lease: ByteLease,
): Promise<Buffer | RequestRefusal> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let total = 0
    const settle = (outcome: Buffer | RequestRefusal) => {
      source.off('data', onData).off('end', onEnd).off('close', onGone).off('error', onGone)
      if (outcome instanceof RequestRefusal) {
        source.on('error', () => {})
        source.resume()
      }
      resolve(outcome)
    }
    const onData = (chunk: Buffer) => {
      total += chunk.length
      if (total > bytesMax) return settle(tooLarge(bytesMax))
      if (!lease.take(chunk.length)) return settle(notTaken())
      chunks.push(chunk)
    }
    const onEnd = () => settle(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, total))
    const onGone = () =>
      settle(new RequestRefusal('client_closed', 'The connection ended before the request did.'))
    if (contentLength > bytesMax) return settle(tooLarge(bytesMax))
    source.on('data', onData).on('end', onEnd).on('close', onGone).on('error', onGone)
  })
}

/** Large enough to be few, and the most that is produced past the limit. */
const CHUNK_BYTES = 64 * 1024

/** RFC 9659: a zstd content coding needs no window larger than 8 MB, and none may make us hold more. */
const ZSTD_WINDOW_LOG_MAX = 23

function decoder(coding: Coding, body: Buffer) {
  const options = { chunkSize: CHUNK_BYTES }
  switch (coding) {
    case 'gzip':
      return zlib.createGunzip(options)
    case 'deflate':
      // The name means the zlib wrapping; some clients send the bare stream under it.
      return hasZlibHeader(body) ? zlib.createInflate(options) : zlib.createInflateRaw(options)
    case 'br':
      return zlib.createBrotliDecompress(options)
    case 'zstd':
      return zlib.createZstdDecompress({
        ...options,
        params: { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG_MAX },
      })
  }
}

function decompress(
  body: Buffer,
  coding: Coding,
  bytesMax: number,
  lease: ByteLease,
): Promise<Buffer | RequestRefusal> {
  return new Promise((resolve) => {
    const stream = decoder(coding, body)
    const chunks: Buffer[] = []
    let total = 0
    const settle = (outcome: Buffer | RequestRefusal) => {
      stream.removeAllListeners('data')
      stream.destroy()
      resolve(outcome)
    }
    stream.on('data', (chunk: Buffer) => {
      total += chunk.length
      if (total > bytesMax) return settle(tooLarge(bytesMax))
      if (!lease.take(chunk.length)) return settle(notTaken())
      chunks.push(chunk)
    })
    stream.on('error', () => settle(undecodable(coding)))
    stream.on('end', () =>
      // Bytes after the end of the stream would be lost without a word.
      settle(stream.bytesWritten === body.length ? Buffer.concat(chunks, total) : undecodable(coding)),
    )
    stream.end(body)
  })
}

function hasZlibHeader(body: Buffer): boolean {
  return body.length >= 2 && (body[0]! & 0x0f) === 8 && ((body[0]! << 8) | body[1]!) % 31 === 0
}

function tooLarge(bytesMax: number): RequestRefusal {
  return new RequestRefusal('request_too_large', `A request body has at most ${bytesMax} bytes.`)
}

function notTaken(): RequestRefusal {
  return new RequestRefusal('not_taken', 'Too much is under way; nothing of this request was taken.')
}

function undecodable(coding: Coding): RequestRefusal {
  return new RequestRefusal('invalid_encoding', `The body is not whole ${coding}.`, 'content-encoding')
}
