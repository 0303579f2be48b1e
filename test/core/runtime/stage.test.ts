import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'

let child: ChildProcessWithoutNullStreams
afterEach(() => child.kill('SIGKILL'))

interface Running {
  /** Resolves with what was printed so far once `text` appears. */
  printed(text: string): Promise<string>
  readonly exit: Promise<number | null>
}

function start(environment: Record<string, string>): Running {
  child = spawn(process.execPath, [join(import.meta.dirname, '../../fixtures/stage-process.ts')], {
    env: { PATH: process.env.PATH, ...environment },
  })
  let output = ''
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const listener of listeners) listener()
    })
  }
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve))
  return {
    exit,
    printed: (text) =>
      new Promise((resolve) => {
        const look = () => {
          if (output.includes(text)) resolve(output)
        }
        listeners.add(look)
        look()
      }),
  }
}

test('SIGTERM lets the stage finish and ends the process with 0', async () => {
  const stage = start({})
  await stage.printed('Working.')
  child.kill('SIGTERM')
  expect(await stage.exit).toBe(0)
  expect(await stage.printed('Stopped.')).toContain('finishing what was accepted')
})

test('a second signal ends a stage that does not finish', async () => {
  const stage = start({ MILLRACE_SAMPLE_MODE: 'hang' })
  await stage.printed('Working.')
  child.kill('SIGTERM')
  await stage.printed('finishing what was accepted')
  child.kill('SIGTERM')
  expect(await stage.exit).toBe(130)
})

test('a drain that takes too long is cut off', async () => {
  const stage = start({ MILLRACE_SAMPLE_MODE: 'hang', MILLRACE_DRAIN_TIMEOUT: '50ms' })
  await stage.printed('Working.')
  child.kill('SIGTERM')
  expect(await stage.exit).toBe(1)
  await stage.printed('The drain took too long')
})

test('an unexpected error ends the process with 1, so that a supervisor restarts it', async () => {
  const stage = start({ MILLRACE_SAMPLE_MODE: 'fail' })
  expect(await stage.exit).toBe(1)
  expect(await stage.printed('Nothing foresaw this.')).toContain('Unexpected error')
})

test.each([
  ['refused', 'Nobody listens.', 40],
  ['denied', 'The password is wrong.', 50],
])('a dependency that fails a stage (%s) is no unexpected error: status 75', async (mode, told, level) => {
  const stage = start({ MILLRACE_SAMPLE_MODE: mode })
  expect(await stage.exit).toBe(75)
  const output = await stage.printed(told)
  expect(output).toMatch(new RegExp(`"level":${level}.*A dependency failed`))
  expect(output).not.toContain('Unexpected')
})

test('wrong settings end the process with 2 and name every fault', async () => {
  const stage = start({ MILLRACE_SAMPLE_MODE: 'dance', MILLRACE_OPS_PORT: 'x' })
  expect(await stage.exit).toBe(2)
  const output = await stage.printed(
    'MILLRACE_SAMPLE_MODE is "dance" but must be one of wait, fail, refused, denied, hang, chatty.',
  )
  expect(output).toContain('MILLRACE_OPS_PORT is "x" but must be a whole number.')
})
