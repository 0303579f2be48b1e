import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { KAFKA_SETTINGS } from '../../core/kafka/kafka-settings.ts'
import { parseDuration } from '../../core/runtime/settings.ts'
import { STAGE_SETTINGS } from '../../core/runtime/stage.ts'
import { OPS_PORTS, type StageName, stageNodeFlags } from '../stages.ts'
import { startLoggedProcess } from './logged-process.ts'
import { readyProblem } from './ready-probe.ts'
import type { Unit } from './supervisor.ts'

/** Ops port of the one process that runs every stage. */
const SINGLE_OPS_PORT = 9100
const PUBLIC_PORTS = { MILLRACE_COLLECTOR_PORT: 8080, MILLRACE_QUERY_PORT: 8090 } as const
/** What a process gets on top of its own drain timeout before it is ended by force. */
const STOP_MARGIN_MS = 5000

const INSTANCE_ID = KAFKA_SETTINGS.kafkaGroupInstanceId.variable

const MAIN = join(import.meta.dirname, '..', 'main.ts')

/** One process per stage, or with `single` one for all of them. */
export function stageUnits(options: {
  readonly stages: readonly StageName[]
  readonly single: boolean
  readonly stateDir: string
  readonly portOffset: number
  /** The caller's environment with the engines' addresses in it. */
  readonly env: Readonly<Record<string, string | undefined>>
}): readonly Unit[] {
  const { stages, single, stateDir, portOffset } = options
  const env: Record<string, string | undefined> = {
    ...options.env,
    ...publicPorts(portOffset, options.env),
    // Their defaults are relative to the working directory, which is wherever `millrace up` was typed.
    MILLRACE_STATE_DIR: options.env.MILLRACE_STATE_DIR || join(stateDir, 'state'),
    MILLRACE_S3_SINK_SPOOL_DIR: options.env.MILLRACE_S3_SINK_SPOOL_DIR || join(stateDir, 'spool'),
  }
  const drainText = env[STAGE_SETTINGS.drainTimeoutMs.variable] || STAGE_SETTINGS.drainTimeoutMs.defaultText
  const stopTimeoutMs = parseDuration(drainText as string) + STOP_MARGIN_MS
  // A stage that is started again takes up its partitions at once. Another installation's on the same brokers is not it.
  const installation = createHash('sha256').update(`${hostname()}:${stateDir}`).digest('hex').slice(0, 12)
  const unit = (name: string, opsPort: number, names: readonly StageName[]): Unit => ({
    name,
    kind: 'stage',
    opsPort,
    start: () =>
      startLoggedProcess({
        command: process.execPath,
        args: [...stageNodeFlags(names), MAIN, 'run', ...names],
        env: {
          ...env,
          MILLRACE_OPS_PORT: String(opsPort),
          [INSTANCE_ID]: env[INSTANCE_ID] || `${installation}-${name}`,
        },
        logFile: join(stateDir, 'logs', `${name}.log`),
        stopTimeoutMs,
      }),
    problem: () => readyProblem(opsPort),
  })
  return single
    ? [unit('stages', SINGLE_OPS_PORT + portOffset, stages)]
    : stages.map((stage) => unit(stage, OPS_PORTS[stage] + portOffset, [stage]))
}

/** Ports that the public reaches keep their defaults unless the installation is moved. */
export function publicPorts(
  portOffset: number,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(PUBLIC_PORTS).map(([name, port]) => [name, env[name] || String(port + portOffset)]),
  )
}
