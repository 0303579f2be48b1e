import { CommanderError } from 'commander'
import { SettingsError } from '../core/runtime/settings.ts'

/** What the command was asked to do failed. */
export const FAILURE = 1
/** It was asked in a way that it does not understand, or its settings are wrong: repeating it does not help. */
export const USAGE = 2

/** Asked in a way that commander cannot judge: repeating it does not help. The message says what to write instead. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/**
 * How a command that threw ends.
 *
 * @returns the exit status and the sentence for standard error; no sentence where commander has said it already.
 *   Errors that only our own mistakes raise keep their stack.
 */
export function endOf(error: unknown): { readonly status: number; readonly sentence: string | null } {
  if (error instanceof CommanderError) {
    return { status: error.exitCode === 0 ? 0 : USAGE, sentence: null }
  }
  if (error instanceof SettingsError || error instanceof UsageError) {
    return { status: USAGE, sentence: error.message }
  }
  if (!(error instanceof Error)) return { status: FAILURE, sentence: String(error) }
  const ours = error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
  return { status: FAILURE, sentence: ours ? (error.stack ?? error.message) : withCauses(error) }
}

function withCauses(error: Error): string {
  const sentences = [error.message]
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (!sentences.some((sentence) => sentence.includes((cause as Error).message)))
      sentences.push(cause.message)
  }
  return sentences.join('\n  because: ')
}
