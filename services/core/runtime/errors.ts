/**
 * What can go wrong with something we depend on. A closed list: retry and alarm policies read the code, so a new
 * code needs a policy in `retry.ts` and a line in `docs/operations.md`.
 */
export const DEPENDENCY_ERRORS = {
  /** No answer, or not in time. What was asked may or may not have happened. */
  unavailable: { retriable: true },
  timeout: { retriable: true },
  /** The answer was "later": throttled, too many parts, loading. */
  overloaded: { retriable: true },
  /** The dependency cannot take writes for the time being: read-only, disk full. */
  read_only: { retriable: true },
  /** A transaction or commit whose outcome is not known. The caller starts over from the stable state. */
  outcome_unknown: { retriable: true },
  /** A newer owner took over. The partition is no longer ours; nothing may be written for it. */
  fenced: { retriable: false },
  /** The partition is not assigned to this process any more. */
  not_assigned: { retriable: false },
  /** Conditional write refused: the object is there already. */
  precondition_failed: { retriable: false },
  not_found: { retriable: false },
  /** Wrong credentials, expired ones, or no permission. Partitions ask again, slowly: somebody may have granted it. */
  denied: { retriable: false },
  /** The request itself is wrong: too large, bad settings, unknown table. An operator must act. */
  rejected: { retriable: false },
  /** What is stored is not what must be there: a hash, a count or a chain does not match. */
  corrupt: { retriable: false },
} as const

export type DependencyErrorCode = keyof typeof DEPENDENCY_ERRORS

/**
 * Name of a dependency as it stands in metrics, logs and health answers. A `destination` is a database of somebody
 * else's that a batch export goes to.
 */
export type Dependency = 'kafka' | 's3' | 'clickhouse' | 'disk' | 'control' | 'metadata' | 'destination'

/**
 * The world misbehaved. Bad data is a value and never this; our own bugs are plain errors, are not caught, and end
 * the process so that the offset replays.
 */
export class DependencyError extends Error {
  readonly dependency: Dependency
  readonly code: DependencyErrorCode
  readonly retriable: boolean

  constructor(dependency: Dependency, code: DependencyErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'DependencyError'
    this.dependency = dependency
    this.code = code
    this.retriable = DEPENDENCY_ERRORS[code].retriable
  }
}

export function isDependencyError(error: unknown): error is DependencyError {
  return error instanceof DependencyError
}
