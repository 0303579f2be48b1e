import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { linesOf, openPolledPipe } from './polled-pipe.ts'

/** One record as Kafka's own console consumer prints it. */
export interface ConsoleRecord {
  readonly partition: number
  readonly offset: number
  readonly headers: ReadonlyMap<string, string>
  /** Null when values were not asked for. Valid until the next record comes. */
  readonly value: Buffer | null
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
   * Where to stop, once it is known: the last offset of each partition that may hold a record. A transaction marker may
   * stand there instead, which the consumer does not print; then the topic counts as read when nothing came for
   * `idleMs`. What is there is read meanwhile.
   */
  readonly lastOffsets: Promise<ReadonlyMap<number, number>>
  readonly idleMs: number
}

/** Headers of millrace's records: a value ends where the next of these names begins. */
const HEADER = /(?:^|,)(event_id|dataset_id|event|schema|src|recipe|traceparent|tick):/g
const TAB = 9
/** Longest wait for the first record, ms: a busy machine starts a Java process slowly. */
const START_MS = 240_000
/** With nothing to read for so long the consumer ends by itself, should nobody be left to end it, ms. */
const ALONE_MS = 300_000

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
 * @throws Error with the consumer's own words when it fails; what `lastOffsets` rejects with
 */
export async function readTopic(
  options: ConsoleConsumerOptions,
  onRecord: (record: ConsoleRecord) => void,
): Promise<void> {
  const pipe = openPolledPipe(randomUUID())
  const child = spawn(
    'java',
    [
      ...toolArguments(options, 'org.apache.kafka.tools.consumer.ConsoleConsumer'),
      ...['--topic', options.topic, '--group', options.group],
      ...[
        '--command-property',
        'enable.auto.commit=false',
        '--command-property',
        'auto.offset.reset=earliest',
      ],
      ...['--isolation-level', 'read_committed', '--timeout-ms', String(ALONE_MS)],
      ...['partition', 'offset', 'headers'].flatMap((what) => ['--formatter-property', `print.${what}=true`]),
      ...['--formatter-property', `print.value=${options.withValues}`],
    ],
    { stdio: ['ignore', pipe.writeEnd, 'pipe'] },
  )
  pipe.closeWriteEnd()
  let errors = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-4096)
  })
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', () => reject(new Error(JAVA_NEEDED)))
    child.once('close', () => resolve())
  })
  exited.catch(() => {})
  const seen = new Map<number, number>()
  let last: ReadonlyMap<number, number> | null = null
  let idle: NodeJS.Timeout | undefined
  let complete = false
  const end = () => {
    complete = true
    child.kill('SIGTERM')
  }
  const look = (offsets: ReadonlyMap<number, number>) => {
    clearTimeout(idle)
    if (reaches(seen, offsets)) end()
    else idle = setTimeout(end, seen.size === 0 ? START_MS : options.idleMs)
  }
  const known = options.lastOffsets.then(
    (offsets) => {
      last = offsets
      look(offsets)
    },
    (error) => {
      end()
      throw error
    },
  )
  known.catch(() => {})
  try {
    for await (const line of linesOf(pipe.chunks())) {
      if (line.length === 0) continue
      const record = parseConsoleLine(line, options.withValues)
      onRecord(record)
      seen.set(record.partition, record.offset)
      if (last !== null) look(last)
    }
  } finally {
    clearTimeout(idle)
    pipe.close()
    child.kill('SIGTERM')
  }
  await exited
  if (!complete) throw new Error(`Kafka's console consumer could not read ${options.topic}: ${errors.trim()}`)
  await known
}

function reaches(seen: ReadonlyMap<number, number>, last: ReadonlyMap<number, number>): boolean {
  for (const [partition, offset] of last) if ((seen.get(partition) ?? -1) < offset) return false
  return true
}

export const JAVA_NEEDED =
  'Java is needed to count the topics. Debian: apt-get install openjdk-17-jre-headless. macOS: brew install openjdk@17.'

/** `Partition:n TAB Offset:n TAB name:value,name:value [TAB value]`; `NO_HEADERS` where there are none. */
export function parseConsoleLine(line: Buffer, withValues: boolean): ConsoleRecord {
  const second = line.indexOf(TAB, line.indexOf(TAB) + 1)
  const third = withValues && second >= 0 ? line.indexOf(TAB, second + 1) : -1
  const head = line.toString('utf8', 0, third < 0 ? line.length : third)
  const match = /^Partition:(\d+)\tOffset:(\d+)\t/.exec(head)
  if (!match) throw new Error(`Kafka's console consumer printed what is no record: ${head.slice(0, 200)}`)
  const text = head.slice(match[0].length)
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
    value: third < 0 ? null : line.subarray(third + 1),
  }
}
