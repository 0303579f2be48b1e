import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** One record as Kafka's own console consumer prints it. */
export interface ConsoleRecord {
  readonly partition: number
  readonly offset: number
  readonly headers: ReadonlyMap<string, string>
  /** Null when values were not asked for. */
  readonly value: string | null
}

/** What every tool of Kafka's needs to reach the broker. */
export interface ConsoleAccess {
  /** Directory of the jars of Kafka's tools. */
  readonly jars: string
  readonly brokers: string
  /** Client settings (TLS, SASL) as a Java properties file; null for a plain broker. */
  readonly configFile: string | null
}

export interface ConsoleConsumerOptions extends ConsoleAccess {
  readonly topic: string
  readonly withValues: boolean
  /** The consumer group whose committed positions say where to begin; a topic without any is read whole. */
  readonly group: string
  /**
   * Where to stop: the last offset of each partition that may hold a record. A transaction marker may stand there
   * instead, which the consumer does not print; then the topic counts as read when nothing came for `idleMs`.
   */
  readonly lastOffsets: ReadonlyMap<number, number>
  readonly idleMs: number
}

/** Headers of millrace's records: a value ends where the next of these names begins. */
const HEADER = /(?:^|,)(event_id|dataset_id|event|schema|src|recipe|traceparent|tick):/g
/** Longest wait for the first record, ms: a busy machine starts a Java process slowly. */
const START_MS = 30_000

/** The part of a command line that all of Kafka's tools have in common. */
export function toolArguments({ jars, brokers, configFile }: ConsoleAccess, main: string): string[] {
  return [
    ...['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', `${jars}/*`, main],
    ...['--bootstrap-server', brokers],
    ...(configFile === null ? [] : ['--command-config', configFile]),
  ]
}

/**
 * Reads a topic from where its group stands, committed records only, with the consumer that ships with Apache Kafka: another
 * client, in another language, than the one that wrote it.
 *
 * @throws Error with the consumer's own words when it fails
 */
export async function readTopic(
  options: ConsoleConsumerOptions,
  onRecord: (record: ConsoleRecord) => void,
): Promise<void> {
  if (options.lastOffsets.size === 0) return
  const child = spawn('java', [
    ...toolArguments(options, 'org.apache.kafka.tools.consumer.ConsoleConsumer'),
    ...['--topic', options.topic, '--group', options.group],
    ...['--command-property', 'enable.auto.commit=false', '--command-property', 'auto.offset.reset=earliest'],
    ...['--isolation-level', 'read_committed', '--timeout-ms', String(START_MS)],
    ...['partition', 'offset', 'headers'].flatMap((what) => ['--formatter-property', `print.${what}=true`]),
    ...['--formatter-property', `print.value=${options.withValues}`],
  ])
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4096)
  })
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', () => reject(new Error(JAVA_NEEDED)))
    child.once('close', () => resolve())
  })
  exited.catch(() => {})
  const ahead = new Map(options.lastOffsets)
  let complete = false
  let idle: NodeJS.Timeout | undefined
  const end = () => {
    complete = true
    child.kill('SIGTERM')
  }
  for await (const line of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === '') continue
    const record = parseConsoleLine(line, options.withValues)
    onRecord(record)
    if (record.offset >= (ahead.get(record.partition) ?? Number.POSITIVE_INFINITY))
      ahead.delete(record.partition)
    clearTimeout(idle)
    if (ahead.size === 0) end()
    else idle = setTimeout(end, options.idleMs)
  }
  clearTimeout(idle)
  await exited
  // Nothing at all to read ends with the consumer's own time limit, which it reports as an error.
  if (!complete && !/Processed a total of 0 messages/.test(errors)) {
    throw new Error(`Kafka's console consumer could not read ${options.topic}: ${errors.trim()}`)
  }
}

const JAVA_NEEDED =
  'Java is needed to count the topics. Debian: apt-get install openjdk-17-jre-headless. macOS: brew install openjdk@17.'

/** `Partition:n TAB Offset:n TAB name:value,name:value [TAB value]`; `NO_HEADERS` where there are none. */
export function parseConsoleLine(line: string, withValues: boolean): ConsoleRecord {
  const match = /^Partition:(\d+)\tOffset:(\d+)\t/.exec(line)
  if (!match) throw new Error(`Kafka's console consumer printed what is no record: ${line.slice(0, 200)}`)
  const rest = line.slice(match[0].length)
  const tab = withValues ? rest.indexOf('\t') : -1
  const text = tab < 0 ? rest : rest.slice(0, tab)
  const headers = new Map<string, string>()
  const names = [...text.matchAll(HEADER)]
  for (const [index, name] of names.entries()) {
    const end = names[index + 1]?.index ?? text.length
    headers.set(name[1]!, text.slice(name.index + name[0].length, end))
  }
  return {
    partition: Number(match[1]),
    offset: Number(match[2]),
    headers,
    value: tab < 0 ? null : rest.slice(tab + 1),
  }
}
