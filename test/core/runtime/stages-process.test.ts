import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'

let child: ChildProcessWithoutNullStreams
afterEach(() => child.kill('SIGKILL'))

function start(environment: Readonly<Record<string, string>> = {}) {
  child = spawn(process.execPath, [join(import.meta.dirname, '../../fixtures/stages-process.ts')], {
    env: { PATH: process.env.PATH, ...environment },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return {
    output: () => output,
    exit: new Promise<number | null>((resolve) => child.once('close', resolve)),
    async ready() {
      await expect.poll(() => /"port":(\d+)/.exec(output)?.[1], { timeout: 10_000 }).toBeDefined()
      const response = await fetch(`http://127.0.0.1:${/"port":(\d+)/.exec(output)?.[1]}/readyz`)
      const { checks } = (await response.json()) as { checks: Record<string, string> }
      return { status: response.status, checks }
    },
  }
}

test('one stage that fails ends them all', async () => {
  const stages = start({ MILLRACE_SAMPLE_MODE: 'fail' })
  expect(await stages.exit).toBe(1)
  expect(stages.output()).toContain('Nothing foresaw this.')
})

test('a setting that both have is wrong once', async () => {
  const stages = start({ MILLRACE_SAMPLE_SIZE: 'big', MILLRACE_SAMPLE_MODE: 'dance' })
  expect(await stages.exit).toBe(2)
  expect(stages.output()).toContain('2 faults')
  expect(stages.output().match(/MILLRACE_SAMPLE_SIZE/g)).toHaveLength(1)
})

test('one stage that is unwell makes the process not ready, under its name', async () => {
  const stages = start({ MILLRACE_SAMPLE_MODE: 'unwell' })
  await expect.poll(stages.ready, { timeout: 10_000 }).toMatchObject({
    status: 503,
    checks: { 'first ready': 'ok', 'second ready': 'disk: The disk is full.' },
  })
})

test('a stage that has not wired its checks yet is not ready', async () => {
  const stages = start({ MILLRACE_SAMPLE_MODE: 'wiring' })
  await expect.poll(stages.ready, { timeout: 10_000 }).toMatchObject({
    status: 503,
    checks: { 'first ready': 'ok', 'second ready': 'started: The stage is still starting.' },
  })
})

test('both drain on one signal, each logging under its own name', async () => {
  const stages = start({ MILLRACE_SAMPLE_SIZE: '7' })
  await expect.poll(stages.ready, { timeout: 10_000 }).toMatchObject({ status: 200 })
  child.kill('SIGTERM')
  expect(await stages.exit).toBe(0)
  expect(stages.output()).toMatch(/"stage":"first".*"size":7,"msg":"Working."/)
  expect(stages.output()).toContain('"msg":"Drained."')
})
