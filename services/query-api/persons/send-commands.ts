import { createHash } from 'node:crypto'
import { Type } from '@sinclair/typebox'
import type { IdentityCommand, PersonCommand } from '../../../schemas/identity-record/v1.ts'
import { uuidFromDigest } from '../../core/event/event-id.ts'
import { personIdOf } from '../../core/event/person-id.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import { ApiError } from '../http/api-error.ts'
import { textDeclared } from '../http/parameter-declarations.ts'
import { textParameter } from '../http/request-parameters.ts'
import type { DatasetCall } from '../http/route.ts'
import type { CommandLog } from './command-log.ts'

const IDEMPOTENCY_KEY_LENGTH_MAX = 200
/** What a random id is drawn from, bytes. */
const RANDOM_BYTES = 32

export const IDEMPOTENCY_PARAMETER = {
  idempotency_key: textDeclared(
    'The same call made again with the same text happens once, however late: for a call whose answer was lost.',
  ),
}

/** What became of a call: it is durably in the log, and will be applied in its turn. */
export interface AcceptedCommand {
  readonly command_id: string
  readonly command: PersonCommand['name']
  readonly person_id: string
}

export const ACCEPTED_SCHEMA = Type.Object({
  success: Type.Literal(true),
  commands: Type.Array(
    Type.Object({ command_id: Type.String(), command: Type.String(), person_id: Type.String() }),
  ),
})

export interface CommandNeeds {
  readonly commandLog: CommandLog
  readonly clock: Pick<Clock, 'now'>
  /** A cryptographic source. */
  readonly randomBytes: (size: number) => Uint8Array
}

/**
 * Puts commands into the log, in order.
 *
 * @throws ApiError 413 for one that is too large, 503 when the log did not take them or may have
 */
export async function sendCommands(
  needs: CommandNeeds,
  call: DatasetCall,
  commands: readonly PersonCommand[],
): Promise<AcceptedCommand[]> {
  const dataset = call.question.dataset.id
  const idOf = commandIds(needs, call)
  const records = commands.map(
    (command, index): IdentityCommand => ({
      v: 1,
      kind: 'command',
      dataset_id: dataset,
      event_id: idOf(`${index} ${command.name}`),
      collector_time: needs.clock.now(),
      actor: call.principal.name,
      command,
    }),
  )
  try {
    await needs.commandLog.send(records)
  } catch (error) {
    throw failureOf(error)
  }
  return records.map(({ event_id, command }) => ({
    command_id: event_id,
    command: command.name,
    person_id: personIdOf(dataset, command.person_key),
  }))
}

/**
 * Ids of a call's commands: of the call itself where it brings a key, so that two callers, or two calls, that happen to
 * choose the same key stay apart.
 */
function commandIds(
  { randomBytes }: CommandNeeds,
  { principal, question, query, url, body }: DatasetCall,
): (which: string) => string {
  const key = textParameter(query, 'idempotency_key', IDEMPOTENCY_KEY_LENGTH_MAX)
  if (key === null) return () => uuidFromDigest(Buffer.from(randomBytes(RANDOM_BYTES)))
  const { personal_api_key: _, ...asked } = query
  const call = JSON.stringify([principal.name, question.dataset.id, key, url.pathname, asked, body ?? null])
  return (which) => uuidFromDigest(createHash('sha256').update(`${which}\n${call}`).digest())
}

function failureOf(error: unknown): unknown {
  if (!isDependencyError(error)) return error
  if (error.code === 'rejected')
    return new ApiError(413, {
      type: 'invalid_request',
      code: 'request_too_large',
      detail: 'This is more than one record of the log holds. Nothing was changed.',
      attr: null,
    })
  const isNotTaken = error.code === 'not_found' || error.code === 'unavailable'
  return new ApiError(
    503,
    {
      type: 'server_error',
      code: isNotTaken ? 'unavailable' : 'outcome_unknown',
      detail: isNotTaken
        ? 'Changes of persons cannot be taken at the moment. Nothing was changed; try again shortly.'
        : 'The answer to this change was lost; it may happen. Make the same call again: with an idempotency_key it happens once.',
      attr: null,
    },
    { 'retry-after': '5' },
  )
}
