import { join } from 'node:path'
import type { Command } from 'commander'
import { runDemo } from '../demo/run-demo.ts'
import { numberOption } from '../ingest/number-option.ts'
import { STATE_DIR } from '../local-environment.ts'

const SAMPLE_CONFIG = join(import.meta.dirname, '../../../examples/millrace.yaml')

interface DemoFlags {
  readonly events: number
  readonly seed: number
  readonly single: boolean
  readonly state: string
  readonly portOffset: number
}

/** `millrace demo`: everything on this machine, and proof that nothing was lost or doubled. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .summary('run everything on sample traffic and reconcile it')
    .description(
      'Starts the engines and every stage, applies examples/millrace.yaml, sends traffic, kills the enricher once, waits ' +
        'until everything has arrived and counts every place it had to go to. Then it stays up until Ctrl-C; without a ' +
        'terminal, or with MILLRACE_DEMO_EXIT=1, it stops. Exit status 1 when a line does not balance.',
    )
    .option('--events <n>', 'events to send', numberOption(1, 100_000_000), 101_000)
    .option('--seed <n>', 'who the people are and what they do', numberOption(0), 1)
    .option('--single', 'run all stages in one process (the enricher is then not killed)', false)
    .option('--state <directory>', 'where data and logs are kept from run to run', STATE_DIR)
    .option('--port-offset <n>', 'added to every port', numberOption(0), 0)
    .action(demo)
}

async function demo(flags: DemoFlags): Promise<void> {
  const stop = new AbortController()
  process.on('SIGINT', () => stop.abort())
  process.on('SIGTERM', () => stop.abort())
  const balanced = await runDemo({
    stateDir: flags.state,
    configFile: SAMPLE_CONFIG,
    events: flags.events,
    seed: flags.seed,
    single: flags.single,
    portOffset: flags.portOffset,
    env: process.env,
    stay: Boolean(process.stdout.isTTY) && process.env.MILLRACE_DEMO_EXIT !== '1',
    signal: stop.signal,
  })
  if (!balanced) process.exitCode = 1
}
