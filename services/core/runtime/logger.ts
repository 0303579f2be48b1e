import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/**
 * One JSON line per message on standard output: a short sentence plus keys. DEBUG is never per event, WARN means
 * that nothing was lost, ERROR that data was lost or an operator must act. Errors go under `err`.
 *
 * @param destination a stream for tests; standard output when left out
 */
export function createLogger(stage: string, level: LogLevel, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { stage, pid: process.pid },
    redact: { paths: ['key', '*.authorization', '*.secret', '*.password'], censor: '***' },
  }
  return destination ? pino(options, destination) : pino(options)
}
