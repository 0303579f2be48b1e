import { choiceDeclared, type ParameterDeclarations, textDeclared } from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery, textParameter } from '../http/request-parameters.ts'

/** Whether a result that is kept is good enough, and whether somebody waits while another one is computed. */
export const REFRESH_MODES = [
  'blocking',
  'async',
  'lazy_async',
  'force_blocking',
  'force_async',
  'force_cache',
] as const
export type RefreshMode = (typeof REFRESH_MODES)[number]

/** An answer that nobody saved is fresh for so long: who reloads a page asks once. */
export const UNSAVED_FRESH_MS = 60_000

/** Longest name that clients give a computation. */
export const CLIENT_ID_LENGTH_MAX = 200

export const REFRESH_PARAMETERS = {
  refresh: choiceDeclared(
    'Whether a result that is kept will do, and whether the answer waits for a new one.',
    REFRESH_MODES,
    'blocking',
  ),
  client_query_id: textDeclared('A name for the computation, under which it is asked after and cancelled.'),
} satisfies ParameterDeclarations

/** Older clients send a flag: "now, please", or not. */
const FLAGS: Readonly<Record<string, RefreshMode>> = { true: 'force_blocking', false: 'blocking' }

export interface RefreshRequest {
  readonly refresh: RefreshMode
  /** Null where the client gives none. */
  readonly clientQueryId: string | null
}

/** @throws ApiError 400 */
export function readRefresh(query: RawQuery): RefreshRequest {
  const flag = FLAGS[textParameter(query, 'refresh') ?? '']
  return {
    refresh: flag ?? choiceParameter(query, 'refresh', REFRESH_MODES, 'blocking'),
    clientQueryId: textParameter(query, 'client_query_id', CLIENT_ID_LENGTH_MAX),
  }
}
