import { bytes as byteSetting } from '../runtime/settings.ts'

/** How much of a refused event is kept; both stages that refuse events have it. */
export const REJECTED_PAYLOAD_SETTING = byteSetting('MILLRACE_REJECTED_PAYLOAD_BYTES_MAX', {
  default: '16KB',
  doc: 'How much of a refused event is kept in its rejected event, bytes.',
})

/**
 * The beginning of a payload as text, cut at a character boundary. Bytes that are not UTF-8 come out as U+FFFD, so
 * the text may be longer in UTF-8 than the bytes were; never more than three times `bytesMax`.
 *
 * @param bytesMax bytes of the payload that are kept at most
 */
export function cutPayload(payload: Buffer, bytesMax: number): string {
  if (payload.length <= bytesMax) return payload.toString('utf8')
  let end = bytesMax
  // A byte 10xxxxxx continues a character: step back to where that character begins. At most three of them follow a
  // first byte in UTF-8; where there are more it is not UTF-8 and any cut will do.
  for (let back = 0; back < 3 && end > 0 && (payload[end]! & 0xc0) === 0x80; back++) end--
  return payload.toString('utf8', 0, end)
}
