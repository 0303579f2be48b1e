import { type ExecFileException, execFile } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ConsoleAccess, JAVA_NEEDED, toolArguments } from './console-consumer.ts'

/** Where reading a topic begins, per partition; what lies before is of earlier runs. Topics not named: all of it. */
export type ReadingStarts = ReadonlyMap<string, ReadonlyMap<number, number>>

/** Longest wait for the tool once, ms: a busy machine starts a Java process slowly, and each of its requests waits 30 s. */
const RESET_TIMEOUT_MS = 100_000
const RESET_BOUND = { timeout: RESET_TIMEOUT_MS, killSignal: 'SIGKILL' } as const
/** A position that is set again is the same position. */
const RESET_ATTEMPTS = 3

/**
 * Writes down for the console consumer where to begin, so that counting one run does not read all the runs before. It
 * takes a position for one partition only, so each topic gets a consumer group of its own whose committed positions
 * say it, set with the tool that ships with Apache Kafka.
 *
 * @param name a text that no earlier call had
 * @returns the name of each topic's group
 * @throws Error with the tool's own words when it fails again and again
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
  const args = [
    ...toolArguments(access, 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'),
    ...['--reset-offsets', '--execute', '--from-file', file],
    ...[...starts.keys()].flatMap((topic) => ['--group', groupOf(topic)]),
  ]
  try {
    let failure = ''
    for (let attempt = 1; attempt <= RESET_ATTEMPTS; attempt++) {
      const ended = await runTool(args)
      // It tells what it did line by line, and exits with 0 when it did nothing.
      const done = ended.stdout.split('\n').filter((line) => line.includes(`millrace-count.${name}.`))
      if (ended.how === 'exit 0' && done.length === lines.length) return groupOf
      failure = `${ended.how}: ${saidOf(ended.stdout + ended.stderr)}`
    }
    throw new Error(
      `Kafka's consumer group tool could not set where to begin, in ${RESET_ATTEMPTS} attempts. The last: ${failure}`,
    )
  } finally {
    rmSync(file, { force: true })
  }
}

/**
 * @returns what it printed, and how it ended, in words
 * @throws Error where there is no Java
 */
async function runTool(args: readonly string[]): Promise<{ how: string; stdout: string; stderr: string }> {
  try {
    return { how: 'exit 0', ...(await promisify(execFile)('java', args, RESET_BOUND)) }
  } catch (error) {
    const { killed, code, signal, stdout = '', stderr = '' } = error as ExecFileException
    if (code === 'ENOENT') throw new Error(JAVA_NEEDED)
    if (killed) return { how: `no end within ${RESET_TIMEOUT_MS / 1_000} s`, stdout, stderr }
    return { how: signal ? `ended by ${signal}` : `exit ${code}`, stdout, stderr }
  }
}

/** Without the traces: before it does anything it prints some for every group, since the file names groups. */
function saidOf(printed: string): string {
  return printed
    .split('\n')
    .filter((line) => !/^\s+(at|\.\.\.) |^com\.fasterxml\./.test(line))
    .join('\n')
    .trim()
}
