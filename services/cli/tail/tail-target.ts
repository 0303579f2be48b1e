import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import type { Field } from '../../../schemas/field.ts'
import { REJECTED_EVENT_FIELDS } from '../../../schemas/rejected-event/v1.ts'
import type { KafkaNames } from '../../core/kafka/topics.ts'
import { UsageError } from '../exit-status.ts'

/** A topic to follow, and the columns that a filter may name. */
export interface TailTarget {
  readonly topic: string
  /** Null where values are not flat events: those can be followed but not filtered. */
  readonly fields: readonly Field[] | null
}

/**
 * What a person means by a name. Ids of subscriptions hold no dot and topics always do, so a name with a dot is a
 * topic's own, with or without the prefix of the installation; what is packed or belongs to the stages is not for
 * reading.
 *
 * @param name `raw`, `enriched`, `rejected` or `receipts`, the id of a subscription, or a topic's own name
 * @throws UsageError when a topic is named that holds nothing to print
 */
export function tailTarget(name: string, names: KafkaNames): TailTarget {
  const internal: readonly [string, TailTarget][] = [
    ['raw', { topic: names.raw, fields: null }],
    ['enriched', { topic: names.enriched, fields: ENRICHED_EVENT_FIELDS }],
    ['rejected', { topic: names.rejected, fields: REJECTED_EVENT_FIELDS }],
    ['receipts', { topic: names.receipts, fields: null }],
  ]
  for (const [short, target] of internal)
    if (name === short || name === `events.${short}` || name === target.topic) return target
  for (const prefix of [names.subscriber(''), 'sub.'])
    if (name.startsWith(prefix)) return subscription(name.slice(prefix.length), names)
  if (name.includes('.'))
    throw new UsageError(
      `${name} holds no events to print. Follow raw, enriched, rejected, receipts, or a subscription by its id.`,
    )
  return subscription(name, names)
}

function subscription(id: string, names: KafkaNames): TailTarget {
  return { topic: names.subscriber(id), fields: ENRICHED_EVENT_FIELDS }
}
