import type { TopicSettings } from '../../core/kafka/log.ts'
import { type Finding, fault, ok, warning } from './check.ts'

const NAME = 'kafka durability'
const RAISE =
  'Three replicas and min.insync.replicas=2 survive the loss of one: MILLRACE_KAFKA_REPLICATION=3 before topics are made, kafka-reassign-partitions.sh after.'
const IN_SYNC = 'Set min.insync.replicas=2 on the topics, or as the brokers’ default.'

/**
 * How many disks must be lost before an acknowledged event is. Warnings, since a laptop has one broker and one disk;
 * a fault only where nothing could be written at all. One finding per kind, not per topic: they are mostly set alike.
 */
export function checkDurability(topics: ReadonlyMap<string, TopicSettings>): Finding[] {
  const those = (wrong: (settings: TopicSettings) => boolean) =>
    [...topics].filter(([, settings]) => wrong(settings)).map(([topic]) => topic)
  const findings: Finding[] = []
  const report = (wrong: readonly string[], make: typeof warning, what: string, fix: string) => {
    const which = wrong.length === topics.size ? `all ${topics.size} topics` : wrong.join(', ')
    if (wrong.length > 0) findings.push(make(NAME, `${which}: ${what}`, fix))
  }
  report(
    those((each) => inSync(each) > each.replicas),
    fault,
    'fewer replicas than min.insync.replicas: nothing can be written',
    IN_SYNC,
  )
  report(
    those(({ replicas }) => replicas === 1),
    warning,
    'one replica: whoever loses its disk loses acknowledged events',
    RAISE,
  )
  report(
    those((each) => each.replicas > 1 && inSync(each) === 1),
    warning,
    'min.insync.replicas is 1: an event may be acknowledged that only one broker has',
    IN_SYNC,
  )
  report(
    those((each) => each.replicas > 1 && inSync(each) === each.replicas),
    warning,
    'every replica must be in sync: one broker away stops everything',
    RAISE,
  )
  report(
    those(({ config }) => config['unclean.leader.election.enable'] === 'true'),
    warning,
    'a replica that was behind may become leader, and what it lacks is lost',
    'Set unclean.leader.election.enable=false.',
  )
  if (findings.length === 0 && topics.size > 0)
    findings.push(ok(NAME, `${topics.size} topics survive the loss of a broker`))
  return findings
}

const inSync = ({ config }: TopicSettings) => Number(config['min.insync.replicas'] ?? 1)
