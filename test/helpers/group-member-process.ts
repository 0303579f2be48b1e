/**
 * A member of a consumer group as a process of its own, to be stopped and killed by tests. Its first argument is JSON;
 * what happens to it is a line on stdout, and every line on stdin makes it commit.
 */
import { createInterface } from 'node:readline'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import { openGroupConsumer } from '../../services/core/kafka/wire/group-consumer.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'

export interface MemberArguments {
  readonly brokers: string
  readonly topic: string
  readonly sessionTimeoutMs: number
  readonly instanceId: string | null
}

const { brokers, topic, sessionTimeoutMs, instanceId } = JSON.parse(
  process.argv[2] as string,
) as MemberArguments
const say = (line: string): void => {
  process.stdout.write(`${line}\n`)
}
const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: brokers })
const consumer = openGroupConsumer(
  settings,
  {
    groupId: topic,
    clientId: 'member',
    topics: [topic],
    sessionTimeoutMs,
    maxPollIntervalMs: 60_000,
    pollRecordsMax: 1_000,
    pollWaitMs: 100,
    prefetchBytesMax: 1_000_000,
    onAssigned: async (partitions, own) => {
      const positions = await own.committed(partitions)
      say(`assigned ${partitions.map(({ partition }) => partition).sort()}`)
      return positions.map(({ offset, ...where }) => ({ ...where, offset: offset ?? 0 }))
    },
    onRevoked: async (partitions, lost) => {
      say(`${lost ? 'lost' : 'revoked'} ${partitions.map(({ partition }) => partition).sort()}`)
    },
  },
  createLogger('member', 'error'),
  instanceId,
)

createInterface({ input: process.stdin }).on('line', (partition) => {
  consumer.commit([{ topic, partition: Number(partition), offset: 1, metadata: `${process.pid}` }]).then(
    () => say('committed'),
    (error: { code: string }) => say(`refused ${error.code}`),
  )
})
try {
  for (;;) for (const batch of await consumer.poll()) say(`read ${batch.partition}`)
} catch (error) {
  say(`ended ${(error as { code: string }).code}`)
  process.exit(1)
}
