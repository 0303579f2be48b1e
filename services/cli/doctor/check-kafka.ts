import type { LogAdmin, TopicSpec } from '../../core/kafka/log.ts'
import { type Finding, fault, ok } from './check.ts'

/** Whether the brokers answer, and every topic that the pipeline needs is there as it should be. */
export async function checkKafka(
  admin: LogAdmin,
  brokers: string,
  wanted: readonly TopicSpec[],
  subscriberTopics: readonly string[],
): Promise<Finding[]> {
  let topics: ReadonlySet<string>
  try {
    topics = new Set(await admin.listTopics())
  } catch (error) {
    return [
      fault(
        'kafka',
        (error as Error).message,
        `Is a broker at ${brokers}? MILLRACE_KAFKA_BROKERS says where.`,
      ),
    ]
  }
  const findings = [ok('kafka', `${brokers} answers, ${topics.size} topics`)]
  for (const { topic, partitions } of wanted) {
    const name = `topic ${topic}`
    const found = topics.has(topic) ? await admin.describeTopic(topic) : null
    if (found === null) findings.push(fault(name, 'is not there', 'Run millrace apply, which makes it.'))
    else if (found.partitions !== partitions)
      findings.push(
        fault(
          name,
          `has ${found.partitions} partitions, settings say ${partitions}`,
          `Partition counts are never changed in place: set MILLRACE_KAFKA_PARTITIONS=${found.partitions}.`,
        ),
      )
    else findings.push(ok(name, `${partitions} partition${partitions === 1 ? '' : 's'}`))
  }
  for (const topic of subscriberTopics)
    if (!topics.has(topic))
      findings.push(
        fault(`topic ${topic}`, 'is not there', 'Run millrace apply, which makes subscriber topics.'),
      )
  return findings
}
