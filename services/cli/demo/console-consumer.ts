import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** One record as Kafka's own console consumer prints it. */
export interface ConsoleRecord {
  readonly headers: ReadonlyMap<string, string>
  /** Null when values were not asked for. */
  readonly value: string | null
}

export interface ConsoleConsumerOptions {
  /** Directory of the jars of Kafka's tools. */
  readonly jars: string
  readonly brokers: string
  readonly topic: string
  readonly withValues: boolean
  /** Client settings (TLS, SASL) as a Java properties file; null for a plain broker. */
  readonly configFile: string | null
  /** The topic counts as read when nothing came for this long, ms. */
  readonly idleMs: number
}

/** Headers of millrace's records: a value ends where the next of these names begins. */
const HEADER = /(?:^|,)(event_id|dataset_id|event|schema|src|recipe|traceparent|tick):/g

/**
 * Reads a topic from its beginning, committed records only, with the consumer that ships with Apache Kafka: another
 * client, in another language, than the one that wrote it.
 *
 * @throws Error with the consumer's own words when it fails
 */
export async function readTopic(
  options: ConsoleConsumerOptions,
  onRecord: (record: ConsoleRecord) => void,
): Promise<void> {
  const child = spawn('java', [
    '-Xmx128m',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-cp',
    `${options.jars}/*`,
    'org.apache.kafka.tools.consumer.ConsoleConsumer',
    ...['--bootstrap-server', options.brokers, '--topic', options.topic, '--from-beginning'],
    ...['--isolation-level', 'read_committed', '--timeout-ms', String(options.idleMs)],
    ...[
      '--formatter-property',
      'print.headers=true',
      '--formatter-property',
      `print.value=${options.withValues}`,
    ],
    ...(options.configFile === null ? [] : ['--command-config', options.configFile]),
  ])
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4096)
  })
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', () =>
      reject(
        new Error(
          'Java is needed to count the topics. Debian: apt-get install openjdk-17-jre-headless. macOS: brew install openjdk@17.',
        ),
      ),
    )
    child.once('close', resolve)
  })
  exited.catch(() => {})
  for await (const line of createInterface({ input: child.stdout, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line !== '') onRecord(parseConsoleLine(line, options.withValues))
  }
  await exited
  // The idle timeout is how a complete read ends, and the consumer reports it as an error.
  if (!/Processed a total of \d+ messages/.test(errors)) {
    throw new Error(`Kafka's console consumer could not read ${options.topic}: ${errors.trim()}`)
  }
}

/** `name:value,name:value[TAB value]`; `NO_HEADERS` where there are none. */
export function parseConsoleLine(line: string, withValues: boolean): ConsoleRecord {
  const tab = withValues ? line.indexOf('\t') : -1
  const text = tab < 0 ? line : line.slice(0, tab)
  const headers = new Map<string, string>()
  const names = [...text.matchAll(HEADER)]
  for (const [index, match] of names.entries()) {
    const end = names[index + 1]?.index ?? text.length
    headers.set(match[1]!, text.slice(match.index + match[0].length, end))
  }
  return { headers, value: tab < 0 ? null : line.slice(tab + 1) }
}
