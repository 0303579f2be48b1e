import { type Command, Option } from 'commander'
import { FilterError } from '../../core/event/filter-expression.ts'
import { openKafkaLog } from '../../core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../core/kafka/kafka-settings.ts'
import { kafkaNames } from '../../core/kafka/topics.ts'
import { createLogger } from '../../core/runtime/logger.ts'
import { parseSettings } from '../../core/runtime/settings.ts'
import { UsageError } from '../exit-status.ts'
import { numberOption } from '../ingest/number-option.ts'
import { localEnvironment } from '../local-environment.ts'
import { followTopic } from '../tail/follow-topic.ts'
import { tailLines } from '../tail/tail-lines.ts'
import { tailTarget } from '../tail/tail-target.ts'

interface TailFlags {
  readonly filter?: string
  readonly from: 'end' | 'beginning'
  readonly limit?: number
}

/** `millrace tail <topic|subscription>`: follows a topic and prints its events, one JSON line each. */
export function registerTail(program: Command): void {
  program
    .command('tail')
    .description('Follow a topic and print its events, one JSON line each, until Ctrl-C.')
    .argument(
      '<what>',
      'raw, enriched, rejected, receipts, the id of a subscription, or a topic by its own name',
    )
    .option('--filter <expression>', 'only events for which this holds (docs/filters.md)')
    .addOption(new Option('--from <where>', 'where to start').choices(['end', 'beginning']).default('end'))
    .option('--limit <n>', 'stop after so many events', numberOption(1))
    .action(tail)
}

async function tail(what: string, flags: TailFlags): Promise<void> {
  const settings = parseSettings(KAFKA_SETTINGS, localEnvironment())
  const target = tailTarget(what, kafkaNames(settings.kafkaPrefix))
  if (flags.filter !== undefined && target.fields === null)
    throw new UsageError(
      `${target.topic} holds no flat events, so there is nothing to filter by. Follow enriched or rejected instead.`,
    )
  let linesOf: ReturnType<typeof tailLines>
  try {
    linesOf = tailLines(target, flags.filter ?? null)
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    throw new UsageError(error.message)
  }
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort())
  // `millrace tail … | head` closes the pipe: that is an end, not a fault.
  process.stdout.once('error', () => stop.abort())
  const log = await openKafkaLog(settings, createLogger('tail', 'error', process.stderr))
  let left = flags.limit ?? Number.POSITIVE_INFINITY
  try {
    await followTopic(log, { topic: target.topic, from: flags.from, signal: stop.signal }, (batch) => {
      const lines = linesOf(batch).slice(0, left)
      left -= lines.length
      if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
      return left > 0 && !stop.signal.aborted
    })
  } finally {
    await log.close()
  }
}
