import { crc32c as native } from '@platformatic/wasm-utils'

/** CRC-32C (Castagnoli) as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array): number {
  return native(bytes) >>> 0
}
