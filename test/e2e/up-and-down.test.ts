import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import { prepareTopics } from '../../services/cli/supervisor/prepare-topics.ts'
import { type RunState, readRunState } from '../../services/cli/supervisor/run-state.ts'
import { identify } from '../../services/core/runtime/process-lock.ts'

const millrace = join(import.meta.dirname, '../../services/cli/main.ts')
const stateDir = mkdtempSync(join(tmpdir(), 'millrace-up-'))
let offset = ''

/** Engines of the test run, so that only the stage is started here. */
const env = {
  ...process.env,
  MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers'),
  MILLRACE_KAFKA_PREFIX: `t-${process.pid}-${Date.now()}.`,
  MILLRACE_S3_ENDPOINT: inject('s3').endpoint,
  MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
}

beforeAll(async () => {
  await prepareTopics(env)

  // The collector's 8080, its ops port 9101 and the rest move together.
  offset = String((await freePort()) - 9101)
})
afterAll(() => {
  run('down')
  rmSync(stateDir, { recursive: true, force: true })
})

function run(...args: readonly string[]) {
  return spawnSync(process.execPath, [millrace, ...args, '--state', stateDir], { encoding: 'utf8', env })
}

/** Starts the collector under a supervisor of its own process. */
async function up(): Promise<{ readonly child: ChildProcess; readonly exit: Promise<number | null> }> {
  const args = ['up', '--only', 'collector', '--port-offset', offset, '--state', stateDir]
  const child = spawn(process.execPath, [millrace, ...args], { env, stdio: 'ignore' })
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
  await untilState((state) => state.supervisor.pid === child.pid && state.phase === 'up')
  return { child, exit }
}

async function untilState(holds: (state: RunState) => boolean): Promise<RunState> {
  let seen: RunState | null = null
  const look = () => {
    seen = readRunState(stateDir)
    return seen !== null && holds(seen)
  }
  await expect.poll(look, { timeout: 30_000 }).toBe(true)
  return seen as unknown as RunState
}

const collector = (state: RunState) => state.units.find(({ name }) => name === 'collector')

test('what is up is refused a second time, heals after a kill, and goes down as it came', async () => {
  const { exit } = await up()
  const first = collector(readRunState(stateDir) as RunState)?.pid as number

  const second = run('up', '--only', 'collector')
  expect(second.status).toBe(1)
  expect(second.stderr).toContain('up already')

  process.kill(first, 'SIGKILL')
  const healed = await untilState((state) => {
    const unit = collector(state)
    return unit?.state === 'ready' && unit.pid !== first
  })
  expect(collector(healed)).toMatchObject({ restarts: 1 })
  expect(readFileSync(join(stateDir, 'logs/collector.log'), 'utf8')).toContain('"stage":"collector"')

  const down = run('down', '--json')
  expect(JSON.parse(down.stdout)).toEqual({ stopped: ['collector'] })
  expect(await exit).toBe(0)
  expect(identify(collector(healed)?.pid as number)).toBeNull()
  expect(readRunState(stateDir)).toBeNull()
  expect(run('down').stdout).toBe('Nothing is up.\n')
})

test('what a killed supervisor leaves behind is found and ended', async () => {
  const { child, exit } = await up()
  const left = collector(readRunState(stateDir) as RunState)?.pid as number
  child.kill('SIGKILL')
  await exit
  run('down')
  expect(identify(left)).toBeNull()
  expect(readRunState(stateDir)).toBeNull()
})
