import { flushCompileCache } from 'node:module'
import { systemClock } from './clock.ts'
import { isDependencyError } from './errors.ts'
import { Health } from './health.ts'
import { createLogPipe, type LogPipe, nonBlockingOutput } from './log-pipe.ts'
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

/** Exit status of a process that ended because a dependency failed it, as `EX_TEMPFAIL` of sysexits: a supervisor starts it again. */
export const DEPENDENCY_FAILED = 75

/** When what was compiled for the start is kept, ms after it. */
const COMPILE_CACHE_AFTER_MS = 5_000

/** What `run` of a stage is handed. */
export interface StageContext {
  readonly logger: Logger
  readonly metrics: Metrics
  /** The stage adds at least one check when it is wired; until then the process is not ready. */
  readonly health: Health
  /** Aborts when the process is asked to stop; the stage then finishes what it accepted and resolves. */
  readonly stopping: AbortSignal
  readonly clock: typeof systemClock
}

export interface Stage<S extends Record<string, Setting<unknown>>> {
  readonly name: string
  readonly settings: S
  /** Runs until `context.stopping` aborts and everything is drained. A rejection ends the process. */
  run(settings: Settings<S>, context: StageContext): Promise<void>
}

/**
 * Runs stages as this process, in production one: parses settings, serves health and metrics, drains on SIGTERM and
 * SIGINT (a second signal exits at once), and exits {@link DEPENDENCY_FAILED} when a dependency fails it, 1 on anything
 * unexpected, so that a supervisor restarts it and offsets replay. Exit status 2 means that the settings are wrong and a
 * restart would not help. Several, for a small machine, share health, metrics and end: what ends one of them unexpectedly
 * ends all, and all are started again.
 */
export async function runStagesProcess(
  stages: readonly Stage<Record<string, Setting<unknown>>>[],
): Promise<never> {
  const name = stages.length === 1 ? (stages[0]?.name as string) : 'stages'
  let own: Settings<typeof STAGE_SETTINGS>
  let settings: Settings<Record<string, Setting<unknown>>>
  try {
    // Settings that stages share have one name in the environment, but not always one key here.
    const declared = stages.flatMap((stage) =>
      Object.entries(stage.settings).map(([key, setting]) => [`${stage.name} ${key}`, setting] as const),
    )
    settings = parseSettings({ ...STAGE_SETTINGS, ...Object.fromEntries(declared) }, process.env)
    own = settings as unknown as Settings<typeof STAGE_SETTINGS>
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    // What several stages share is wrong once.
    const { message } = new SettingsError([...new Set(error.faults)])
    process.stderr.write(`millrace ${name}: ${message}\n`)
    process.exit(2)
  }
  const metrics = createMetrics()
  const output = openOutput(metrics, () => logger)
  const logger = createLogger(name, own.logLevel as LogLevel, output)
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
    if (isDependencyError(error)) {
      const how = error.retriable ? 'warn' : 'error'
      logger[how]({ err: error }, 'A dependency failed; exiting, so that it is tried again from the start.')
      process.exit(DEPENDENCY_FAILED)
    }
    logger.error({ err: error }, 'Unexpected error; exiting so that unfinished work replays.')
    process.exit(1)
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)

  const health = new Health()
  health.add({
    name: 'accepting',
    kind: 'ready',
    problem: () => (stop.signal.aborted ? 'This process is stopping; send traffic to another one.' : null),
  })
  try {
    const ops = await startOpsServer(own.opsHost, own.opsPort, health, metrics)
    logger.info({ port: ops.port }, 'Health and metrics are served.')
    // Node keeps compiled code at a clean end only; a process that is killed has left it to the next one by then.
    setTimeout(flushCompileCache, COMPILE_CACHE_AFTER_MS).unref()
    await Promise.all(
      stages.map((stage) =>
        stage.run(settingsOf(stage, settings), {
          logger: stages.length === 1 ? logger : createLogger(stage.name, own.logLevel as LogLevel, output),
          metrics,
          health: startedHealth(stages.length === 1 ? health : healthWithin(health, stage.name)),
          stopping: stop.signal,
          clock: systemClock,
        }),
      ),
    )
    await ops.close()
  } catch (error) {
    die(error)
  }
  logger.info('Stopped.')
  process.exit(0)
}

/** Standard output that nobody's not reading can hold up; undefined where lines are written as ever. */
function openOutput(metrics: Metrics, logger: () => Logger): LogPipe | undefined {
  const dropped = metrics.counter(
    'millrace_log_lines_dropped_total',
    'Lines of the log that were dropped because nobody read it.',
  )
  const send = nonBlockingOutput()
  if (send === null) return undefined
  return createLogPipe({
    send,
    onDropped: () => dropped.add(1),
    onReadAgain: (count) =>
      logger().warn({ dropped: count }, 'Nobody read the log for a while, and lines of it were dropped.'),
  })
}

function settingsOf(
  stage: Stage<Record<string, Setting<unknown>>>,
  all: Readonly<Record<string, unknown>>,
): Settings<Record<string, Setting<unknown>>> {
  const keys = [...Object.keys(STAGE_SETTINGS), ...Object.keys(stage.settings)]
  return Object.freeze(
    Object.fromEntries(keys.map((key) => [key, all[key in stage.settings ? `${stage.name} ${key}` : key]])),
  )
}

/** Not ready until the stage has added checks of its own: it does so when what they ask about is there. */
function startedHealth(health: Health): Health {
  const before = health.size + 1
  health.add({
    name: 'started',
    kind: 'ready',
    problem: () => (health.size > before ? null : 'The stage is still starting.'),
  })
  return health
}

/** A stage's own health, which the process's health asks under the stage's name. */
function healthWithin(process: Health, stage: string): Health {
  const own = new Health()
  for (const kind of ['ready', 'live'] as const) {
    process.add({
      name: `${stage} ${kind}`,
      kind,
      problem: () => {
        const { ok, checks } = own[kind]()
        if (ok) return null
        return Object.entries(checks)
          .flatMap(([check, answer]) => (answer === 'ok' ? [] : [`${check}: ${answer}`]))
          .join(' ')
      },
    })
  }
  return own
}
