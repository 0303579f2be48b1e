import { APIS } from './apis.ts'
import { type WireReader, WireWriter } from './codec.ts'
import { BrokerError } from './errors.ts'
import type { ProducerIdentity } from './record-sender.ts'

/** Of a producer without transactions, to which no time limit applies. */
const NO_LIMIT_MS = 0x7fffffff

export function encodeInitProducerId(transactionalId: string | null, timeoutMs = NO_LIMIT_MS): WireWriter {
  // Always as somebody new: what an older producer of the id left open is aborted, and it is fenced.
  return new WireWriter().string(transactionalId).int32(timeoutMs).int64(-1).int16(-1).noTags()
}

/** @throws BrokerError */
export function decodeInitProducerId(answer: WireReader): ProducerIdentity {
  answer.int32() // throttle time
  const code = answer.int16()
  if (code !== 0) throw new BrokerError(code)
  return { producerId: answer.int64(), producerEpoch: answer.int16() }
}

export const INIT_PRODUCER_ID = APIS.initProducerId
