import { execFile } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ConsoleAccess, toolArguments } from './console-consumer.ts'

/** Where reading a topic begins, per partition; what lies before is of earlier runs. Topics not named: all of it. */
export type ReadingStarts = ReadonlyMap<string, ReadonlyMap<number, number>>

const RESET_TIMEOUT_MS = 60_000

/**
 * Writes down for the console consumer where to begin, so that counting one run does not read all the runs before. It
 * takes a position for one partition only, so each topic gets a consumer group of its own whose committed positions
 * say it, set with the tool that ships with Apache Kafka.
 *
 * @param name a text that no earlier call had
 * @returns the name of each topic's group
 * @throws Error with the tool's own words when it fails
 */
export async function commitReadingStarts(
  access: ConsoleAccess,
  starts: ReadingStarts,
  name: string,
): Promise<(topic: string) => string> {
  const groupOf = (topic: string) => `millrace-count.${name}.${topic}`
  const lines = [...starts].flatMap(([topic, offsets]) =>
    [...offsets].map(([partition, offset]) => `"${groupOf(topic)}","${topic}",${partition},${offset}`),
  )
  if (lines.length === 0) return groupOf
  const file = join(tmpdir(), `millrace-count-${process.pid}-${name}.csv`)
  writeFileSync(file, `${lines.join('\n')}\n`)
  try {
    const { stdout, stderr } = await promisify(execFile)(
      'java',
      [
        ...toolArguments(access, 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'),
        ...['--reset-offsets', '--execute', '--from-file', file],
        ...[...starts.keys()].flatMap((topic) => ['--group', groupOf(topic)]),
      ],
      { timeout: RESET_TIMEOUT_MS },
    )
    // The tool tells what it did line by line, and exits with 0 when it did nothing.
    const done = stdout.split('\n').filter((line) => line.includes(`millrace-count.${name}.`))
    if (done.length !== lines.length) throw new Error((stderr + stdout).trim())
    return groupOf
  } catch (error) {
    throw new Error(`Kafka's consumer group tool could not set where to begin: ${(error as Error).message}`)
  } finally {
    rmSync(file, { force: true })
  }
}
