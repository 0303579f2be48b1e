import type { CommittedPosition, Position, TopicPartition } from '../log.ts'
import { type WireReader, WireWriter } from './codec.ts'
import { BrokerError, CODES } from './errors.ts'

/** Positions carry no leader epoch here. */
const NO_EPOCH = -1

/** The positions of a commit, be it plain or in a transaction: the same bytes in both requests. */
export function writePositions(
  body: WireWriter,
  positions: readonly (Position & { readonly metadata: string })[],
): void {
  body.array([...Map.groupBy(positions, ({ topic }) => topic)], ([topic, of]) => {
    body.string(topic)
    body.array(of, ({ partition, offset, metadata }) =>
      body.int32(partition).int64(offset).int32(NO_EPOCH).string(metadata).noTags(),
    )
    body.noTags()
  })
}

/** @param isStable whether transactions under way make the coordinator refuse the positions they move */
export function committedRequest(
  groupId: string,
  partitions: readonly TopicPartition[],
  isStable: boolean,
): WireWriter {
  const body = new WireWriter()
  body.array([groupId], () => {
    body.string(groupId)
    body.array([...Map.groupBy(partitions, ({ topic }) => topic)], ([topic, of]) => {
      body.string(topic)
      body.array(of, ({ partition }) => body.int32(partition)).noTags()
    })
    body.noTags()
  })
  return body.boolean(isStable).noTags()
}

/**
 * @returns what the group committed, in the order of `partitions`
 * @throws BrokerError
 */
export function committedPositions(
  answer: WireReader,
  partitions: readonly TopicPartition[],
): readonly CommittedPosition[] {
  const committed = new Map<string, { offset: number; metadata: string }>()
  answer.int32() // throttle time
  answer.array(() => {
    answer.string() // group
    answer.array(() => {
      const topic = answer.string()
      answer.array(() => {
        const partition = answer.int32()
        const offset = answer.int64()
        answer.int32() // leader epoch
        // A client that millrace once used stored a NUL after every text.
        const metadata = answer.string().replace(/\0+$/, '')
        const code = answer.int16()
        answer.tags()
        if (code !== 0) throw new BrokerError(code)
        committed.set(`${partition}:${topic}`, { offset, metadata })
      })
      answer.tags()
    })
    const code = answer.int16()
    answer.tags()
    // A group that nobody ever joined has no positions.
    if (code !== 0 && code !== CODES.GROUP_ID_NOT_FOUND) throw new BrokerError(code)
  })
  return partitions.map(({ topic, partition }) => {
    const { offset, metadata } = committed.get(`${partition}:${topic}`) ?? { offset: -1, metadata: '' }
    return offset < 0
      ? { topic, partition, offset: null, metadata: '' }
      : { topic, partition, offset, metadata }
  })
}
