import { systemClock } from './clock.ts'
import { Health } from './health.ts'
import { createLogger, LOG_LEVELS, type Logger, type LogLevel } from './logger.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { startOpsServer } from './ops-server.ts'
import {
  choice,
  duration,
  integer,
  parseSettings,
  type Setting,
  type Settings,
  SettingsError,
  text,
} from './settings.ts'

/** Settings that every stage has. */
export const STAGE_SETTINGS = {
  logLevel: choice('MILLRACE_LOG_LEVEL', LOG_LEVELS, {
    default: 'info',
    doc: 'Least severe messages that are logged.',
  }),
  opsHost: text('MILLRACE_OPS_HOST', {
    default: '127.0.0.1',
    doc: 'Address that /metrics, /healthz and /readyz listen on.',
  }),
  opsPort: integer('MILLRACE_OPS_PORT', {
    default: '0',
    max: 65535,
    doc: 'Port of /metrics, /healthz and /readyz; 0 picks a free one and logs it.',
  }),
  drainTimeoutMs: duration('MILLRACE_DRAIN_TIMEOUT', {
    default: '25s',
    doc: 'Longest time from SIGTERM to exit.',
  }),
} as const

/** What `run` of a stage is handed. */
export interface StageContext {
  readonly logger: Logger
  readonly metrics: Metrics
  readonly health: Health
  /** Aborts when the process is asked to stop; the stage then finishes what it accepted and resolves. */
  readonly stopping: AbortSignal
  readonly clock: typeof systemClock
}

export interface Stage<S extends Record<string, Setting<unknown>>> {
  readonly name: string
  readonly settings: S
  /** Runs until `context.stopping` aborts and everything is drained. A rejection ends the process with status 1. */
  run(settings: Settings<S>, context: StageContext): Promise<void>
}

/**
 * Runs one stage as this process: parses settings, serves health and metrics, drains on SIGTERM and SIGINT (a
 * second signal exits at once), and exits 1 on anything unexpected so that a supervisor restarts it and offsets
 * replay. Exit status 2 means that the settings are wrong and a restart would not help.
 */
export async function runStageProcess<S extends Record<string, Setting<unknown>>>(
  stage: Stage<S>,
): Promise<never> {
  let settings: Settings<S>
  let own: Settings<typeof STAGE_SETTINGS>
  try {
    const parsed = parseSettings({ ...STAGE_SETTINGS, ...stage.settings }, process.env)
    settings = parsed as unknown as Settings<S>
    own = parsed as unknown as Settings<typeof STAGE_SETTINGS>
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    process.stderr.write(`millrace ${stage.name}: ${error.message}\n`)
    process.exit(2)
  }
  const logger = createLogger(stage.name, own.logLevel as LogLevel)
  const stop = new AbortController()
  const onSignal = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) process.exit(130)
    logger.info({ signal }, 'Stopping: finishing what was accepted.')
    stop.abort()
    setTimeout(() => {
      logger.warn('The drain took too long; exiting, unfinished work replays from its offsets.')
      process.exit(1)
    }, own.drainTimeoutMs).unref()
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  const die = (error: unknown) => {
    logger.error({ err: error }, 'Unexpected error; exiting so that unfinished work replays.')
    process.exit(1)
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)

  const health = new Health()
  const metrics = createMetrics()
  health.add({
    name: 'accepting',
    kind: 'ready',
    problem: () => (stop.signal.aborted ? 'This process is stopping; send traffic to another one.' : null),
  })
  try {
    const ops = await startOpsServer(own.opsHost, own.opsPort, health, metrics)
    logger.info({ port: ops.port }, 'Health and metrics are served.')
    await stage.run(settings, { logger, metrics, health, stopping: stop.signal, clock: systemClock })
    await ops.close()
  } catch (error) {
    die(error)
  }
  logger.info('Stopped.')
  process.exit(0)
}
