import type { TopicSettings, TopicSpec } from '../../core/kafka/log.ts'
import { type Finding, fault, ok, warning } from './check.ts'

/** A topic as it is. */
export interface FoundTopic {
  readonly partitions: number
  /** Null where we may not ask. */
  readonly settings: TopicSettings | null
}

const KEPT_FOR_EVER = -1

/**
 * Whether a topic is what its specification asks for. Partition counts and policies must be equal; how long it keeps
 * records is the operator's choice, except where something else follows from it (`checkDedupeRetention`).
 *
 * @param recordBytesMax largest record that stages send
 * @param joined a topic that it is joined to by partition number: `events.raw`. Null when there is none, and then the
 *   specification's count, which is that of the settings, decides
 */
export function checkTopic(
  spec: TopicSpec,
  found: FoundTopic,
  recordBytesMax: number,
  joined: FoundTopic | null,
): Finding[] {
  const name = `topic ${spec.topic}`
  const findings = partitionFaults(name, spec, found, joined)
  const config = found.settings?.config
  if (config === undefined) {
    const fix = `Allow DescribeConfigs on ${spec.topic}.`
    findings.push(warning(name, 'its settings cannot be read: no permission', fix))
  } else {
    findings.push(...settingFaults(name, spec, config))
    const taken = Number(config['max.message.bytes'])
    if (taken < recordBytesMax)
      findings.push(
        fault(
          name,
          `takes records of ${taken} bytes, stages send up to ${recordBytesMax}`,
          `${alter(spec.topic, `max.message.bytes=${recordBytesMax}`)}, or lower MILLRACE_KAFKA_RECORD_BYTES.`,
        ),
      )
    const bytes = Number(config['retention.bytes'])
    if (bytes >= 0 && spec.config['cleanup.policy'] === 'delete')
      findings.push(
        warning(
          name,
          `keeps ${bytes} bytes of a partition at most, however young its records are`,
          `${alter(spec.topic, 'retention.bytes=-1')}, so that a stage may be away as long as retention.ms says.`,
        ),
      )
  }
  if (findings.length === 0) findings.push(ok(name, describe(spec, found)))
  return findings
}

function partitionFaults(
  name: string,
  spec: TopicSpec,
  found: FoundTopic,
  joined: FoundTopic | null,
): Finding[] {
  const wanted = joined?.partitions ?? spec.partitions
  if (found.partitions === wanted) return []
  if (joined === null)
    return [
      fault(
        name,
        `has ${partitions(found.partitions)}, settings say ${wanted}`,
        `Partition counts are never changed in place: set MILLRACE_KAFKA_PARTITIONS=${found.partitions}.`,
      ),
    ]
  return [
    fault(
      name,
      `has ${partitions(found.partitions)}, events.raw has ${wanted}: records keep their partition number all the way`,
      `While it is empty, delete it and start the enricher, which makes it anew, with MILLRACE_KAFKA_PARTITIONS=${wanted}; with records in it, start with a new MILLRACE_KAFKA_PREFIX.`,
    ),
  ]
}

/** What a wrong setting does, by setting. */
const CONSEQUENCE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'cleanup.policy': {
    delete: 'events with equal keys would replace each other',
    compact: 'what was configured long ago would be forgotten',
  },
  'message.timestamp.type': {
    LogAppendTime: 'windows and landed_time are measured in the brokers’ time, not in that of whoever sends',
  },
}

function settingFaults(name: string, spec: TopicSpec, config: Readonly<Record<string, string>>): Finding[] {
  const faults: Finding[] = []
  for (const [setting, consequences] of Object.entries(CONSEQUENCE)) {
    const wanted = spec.config[setting]
    const found = config[setting]
    if (wanted === undefined || found === undefined || found === wanted) continue
    const detail = `${setting} is ${found}, not ${wanted}: ${consequences[wanted]}`
    faults.push(fault(name, detail, `${alter(spec.topic, `${setting}=${wanted}`)}.`))
  }
  return faults
}

/**
 * Whether ids are kept as long as a raw record may still ask for them: a record that is read as late as `events.raw`
 * keeps it must meet every id of the window before it.
 *
 * @param windowMs how far back the enricher recognises an id
 */
export function checkDedupeRetention(
  topic: string,
  raw: FoundTopic,
  dedupe: FoundTopic,
  windowMs: number,
): Finding[] {
  const keptMs = retentionMs(dedupe)
  const rawMs = retentionMs(raw)
  if (keptMs === null || rawMs === null || keptMs === KEPT_FOR_EVER) return []
  const neededMs = rawMs === KEPT_FOR_EVER ? KEPT_FOR_EVER : rawMs + windowMs
  if (neededMs !== KEPT_FOR_EVER && keptMs >= neededMs) return []
  const raws = rawMs === KEPT_FOR_EVER ? 'for ever' : days(rawMs)
  return [
    fault(
      `topic ${topic}`,
      `keeps ids ${days(keptMs)}; events.raw keeps records ${raws} and the dedupe window is ${days(windowMs)}`,
      `${alter(topic, `retention.ms=${neededMs}`)}: as long as both together, so that a late reader still knows what it has seen.`,
    ),
  ]
}

function retentionMs({ settings }: FoundTopic): number | null {
  const text = settings?.config['retention.ms']
  return text === undefined ? null : Number(text)
}

function describe(spec: TopicSpec, found: FoundTopic): string {
  const count = partitions(found.partitions)
  if (spec.config['cleanup.policy'] === 'compact') return `${count}, compacted`
  const kept = retentionMs(found)
  return kept === null ? count : `${count}, kept ${kept === KEPT_FOR_EVER ? 'for ever' : days(kept)}`
}

const partitions = (count: number) => `${count} partition${count === 1 ? '' : 's'}`
const days = (ms: number) => `${Number((ms / 86_400_000).toFixed(2))} d`

/** The command of Kafka's own tools that changes a topic. */
function alter(topic: string, setting: string): string {
  return `kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config ${setting}`
}
