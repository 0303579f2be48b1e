import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { lz4Decompress, snappyDecompress } from '@platformatic/wasm-utils'

/** What a record batch may hold uncompressed at most: brokers check only the compressed size. */
const BATCH_BYTES_MAX = 128 * 1024 * 1024

/** snappy-java's framing: this magic, two version numbers, then blocks with a four-byte length each. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER = 16

/**
 * @param codec the lowest three bits of a record batch's attributes
 * @throws Error for bytes that are not of that codec, and for a codec that Kafka does not have
 */
export function decompress(codec: number, bytes: Buffer): Buffer {
  switch (codec) {
    case 0:
      return bytes
    case 1:
      return gunzipSync(bytes, { maxOutputLength: BATCH_BYTES_MAX })
    case 2:
      return bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)
        ? Buffer.concat([...xerialBlocks(bytes)].map((block) => snappyDecompress(block)))
        : snappyDecompress(bytes)
    case 3:
      return lz4Decompress(bytes)
    case 4:
      return zstdDecompressSync(bytes, { maxOutputLength: BATCH_BYTES_MAX })
    default:
      throw new Error(`compression ${codec} is none that Kafka has`)
  }
}

function* xerialBlocks(bytes: Buffer): Generator<Buffer> {
  for (let at = XERIAL_HEADER; at < bytes.length; ) {
    const start = at + 4
    at = start + bytes.readUInt32BE(at)
    yield bytes.subarray(start, at)
  }
}
