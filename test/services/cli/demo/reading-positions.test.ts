import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { commitReadingStarts } from '../../../../services/cli/demo/reading-positions.ts'

const ACCESS = { jars: '/jars', brokers: 'broker:9092', configFile: null }
const STARTS = new Map([['events', new Map([[0, 7]])]])
const { PATH } = process.env
let dir: string

/** A `java` that runs these lines of shell instead, the count of its calls in `$calls`. */
function insteadOfJava(script: string): void {
  const java = join(dir, 'java')
  writeFileSync(
    java,
    `#!/bin/sh\necho call >> ${dir}/calls\ncalls=$(wc -l < ${dir}/calls)\nfor last; do :; done\n${script}\n`,
  )
  chmodSync(java, 0o755)
}
const calls = () => readFileSync(join(dir, 'calls'), 'utf8').trim().split('\n').length

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-positions-'))
  process.env.PATH = dir + delimiter + PATH
})
afterEach(() => {
  process.env.PATH = PATH
  rmSync(dir, { recursive: true, force: true })
})

test('what the tool does not manage at once it is told again', async () => {
  insteadOfJava(`
if [ $calls -eq 1 ]; then echo 'Error: Executing consumer group command failed'; exit 1; fi
if [ $calls -eq 2 ]; then exit 0; fi
echo "$last events 0 7"`)
  const groupOf = await commitReadingStarts(ACCESS, STARTS, 'r-1')
  expect(groupOf('events')).toBe('millrace-count.r-1.events')
  expect(calls()).toBe(3)
})

test('a tool that fails again and again is told of in its own words, without the traces it prints of every group', async () => {
  insteadOfJava(`
printf 'com.fasterxml.jackson.databind.exc.InvalidFormatException: not a valid int\\n at [Source: (StringReader)]\\n\\tat org.x.Y(Y.java:1)\\n' >&2
echo 'Error: the group is not inactive'
kill -9 $$`)
  await expect(commitReadingStarts(ACCESS, STARTS, 'r-2')).rejects.toThrow(
    new Error(
      "Kafka's consumer group tool could not set where to begin, in 3 attempts. The last: ended by SIGKILL: Error: the group is not inactive",
    ),
  )
  expect(calls()).toBe(3)
})

test('without Java it is said what to install', async () => {
  process.env.PATH = dir
  await expect(commitReadingStarts(ACCESS, STARTS, 'r-3')).rejects.toThrow(
    /^Java is needed to count the topics\./,
  )
})
