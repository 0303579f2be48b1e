import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { systemClock } from '../../core/runtime/clock.ts'
import { STATE_DIR } from '../local-environment.ts'
import { isStageName, STAGE_NAMES, type StageName } from '../stages.ts'
import { type RunState, readRunState } from '../supervisor/run-state.ts'
import type { UnitStatus } from '../supervisor/supervisor.ts'
import { openSystem } from '../supervisor/system.ts'

interface UpOptions {
  readonly single: boolean
  readonly detach: boolean
  readonly only: readonly StageName[]
  readonly state: string
  readonly portOffset: number
}

export function registerUp(program: Command): void {
  program
    .command('up')
    .summary('start engines and stages on this machine')
    .description(
      'Starts Kafka, an S3 server and ClickHouse, then every stage, and keeps them running until Ctrl-C. An engine ' +
        'whose address is given (MILLRACE_KAFKA_BROKERS, MILLRACE_S3_ENDPOINT, MILLRACE_CLICKHOUSE_URL) is not started.',
    )
    .option('--single', 'run all stages in one process', false)
    .option(
      '-d, --detach',
      'return once everything is ready, and leave it running: `millrace down` stops it',
      false,
    )
    .option('--only <stages>', 'stages to run, separated by commas', stageNames, [...STAGE_NAMES])
    .option('--state <directory>', 'where data, logs and the state file are kept', STATE_DIR)
    .addOption(
      new Option('--port-offset <number>', 'added to every port, to have two of them up at once')
        .argParser(wholeNumber)
        .default(0),
    )
    .action((options: UpOptions) => (options.detach ? upDetached(options) : up(options)))
}

async function up(options: UpOptions): Promise<void> {
  const started = systemClock.monotonic()
  const system = await openSystem({
    stateDir: options.state,
    stages: options.only,
    single: options.single,
    portOffset: options.portOffset,
    env: process.env,
    onUnit: (unit) => print(`${elapsed(started)}  ${describe(unit)}`),
    onLeftBehind: (names) => print(`Stopped what an earlier run had left behind: ${names.join(', ')}.`),
  })
  const asked = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => asked.resolve())
  }
  let stopping = false
  const ended = asked.promise.then(async () => {
    stopping = true
    print('Stopping: stages finish what they accepted, then the engines stop.')
    await system.stop()
    print('Stopped.')
  })
  try {
    await system.start()
  } catch (error) {
    await system.stop()
    throw error
  }
  const failed = system.status().filter(({ state }) => state === 'failed')
  if (stopping) {
    // Ctrl-C while it came up.
  } else if (failed.length > 0) {
    print(`Up, but for ${failed.map(({ name }) => name).join(', ')}: see ${join(options.state, 'logs')}.`)
  } else {
    print(addressLines(system.addresses).join('\n'))
    print('Everything is ready. Ctrl-C stops it.')
  }
  await ended
}

/** Longest wait for everything to be ready: Kafka alone may take a minute to recover after a kill. */
const DETACHED_READY_MS = 180_000

async function upDetached(options: UpOptions): Promise<void> {
  const logFile = join(options.state, 'logs', 'supervisor.log')
  mkdirSync(join(options.state, 'logs'), { recursive: true })
  const log = openSync(logFile, 'a')
  const child = spawn(
    process.execPath,
    [
      join(import.meta.dirname, '../main.ts'),
      'up',
      ...(options.single ? ['--single'] : []),
      ...['--only', options.only.join(','), '--state', options.state],
      ...['--port-offset', String(options.portOffset)],
    ],
    { detached: true, stdio: ['ignore', log, log] },
  )
  closeSync(log)
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.unref()
  const gone = exit.then(() => 'exited' as const)
  const deadline = systemClock.monotonic() + DETACHED_READY_MS
  const seen = new Map<string, string>()
  for (;;) {
    const now = await Promise.race([gone, systemClock.sleep(200)])
    if (now === 'exited') throw new Error(lastWords(logFile))
    const state = readRunState(options.state)
    if (state?.supervisor.pid !== child.pid) continue
    for (const unit of (state as RunState).units) {
      if (seen.get(unit.name) === unit.state) continue
      seen.set(unit.name, unit.state)
      if (unit.state !== 'starting' && unit.state !== 'stopped') print(`  ${describe(unit)}`)
    }
    if (state?.phase === 'up') break
    if (state?.phase === 'failed') {
      const failed = state.units.filter(({ state: unitState }) => unitState !== 'ready')
      throw new Error(
        `Not everything came up: ${failed.map(({ name }) => name).join(', ')}. Their logs are in ` +
          `${join(options.state, 'logs')}; \`millrace down\` stops the rest.`,
      )
    }
    if (systemClock.monotonic() > deadline) {
      throw new Error(
        `Not ready after ${DETACHED_READY_MS / 1000} s; it goes on trying. Logs: ${join(options.state, 'logs')}. ` +
          'To stop it: millrace down.',
      )
    }
  }
  print(addressLines((readRunState(options.state) as RunState).addresses).join('\n'))
  print('Everything is ready. `millrace down` stops it.')
}

function lastWords(logFile: string): string {
  const text = readFileSync(logFile, 'utf8').trimEnd()
  const at = text.lastIndexOf('millrace: ')
  return at === -1 ? `It did not come up. Its log: ${logFile}.` : text.slice(at + 'millrace: '.length)
}

function describe(unit: UnitStatus): string {
  const again = unit.restarts > 0 ? `, restart ${unit.restarts}` : ''
  const problem = unit.state !== 'ready' && unit.problem ? `: ${unit.problem}` : ''
  return `${unit.name} ${unit.state}${unit.pid === null ? '' : ` (pid ${unit.pid})`}${again}${problem}`
}

function addressLines(addresses: Readonly<Record<string, string>>): string[] {
  return Object.entries(addresses).flatMap(([name, value]) =>
    name.includes('SECRET') ? [] : [`  ${name}=${value}`],
  )
}

function elapsed(startedMs: number): string {
  return `${((systemClock.monotonic() - startedMs) / 1000).toFixed(1).padStart(6)} s`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function stageNames(text: string): StageName[] {
  const names = text.split(',')
  const unknown = names.filter((name) => !isStageName(name))
  if (unknown.length > 0) {
    throw new InvalidArgumentError(`${unknown.join(', ')}: the stages are ${STAGE_NAMES.join(', ')}.`)
  }
  return names.filter(isStageName)
}

function wholeNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}
