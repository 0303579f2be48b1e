import type { QueryParameters } from '../../core/clickhouse/clickhouse.ts'

/** ClickHouse types that values are bound as. */
export type BindingType =
  | 'String'
  | 'Int64'
  | 'UInt64'
  | 'Float64'
  | 'Array(String)'
  | 'Array(UUID)'
  | 'Array(Int64)'
  | 'Array(Float64)'

/**
 * Values on their way into one statement. The only thing that ever enters SQL text is the placeholder, so nothing
 * that a caller sent (values, property names, time zones) can change a statement.
 */
export interface Bindings {
  /** Keeps the value and returns its placeholder, e.g. `{p3:String}`. */
  bind(value: string | number | readonly (string | number)[], type: BindingType): string
  readonly parameters: QueryParameters
  /** Says that an expression that somebody wrote is part of the statement. */
  expressed(): void
  /** Then the engine may refuse the statement for what it says, and it is whoever wrote it that has to know. */
  readonly isExpressed: boolean
}

export function createBindings(): Bindings {
  const parameters: Record<string, string | number | readonly (string | number)[]> = {}
  let count = 0
  let isExpressed = false
  return {
    bind(value, type) {
      const name = `p${count++}`
      parameters[name] = value
      return `{${name}:${type}}`
    },
    parameters,
    expressed() {
      isExpressed = true
    },
    get isExpressed() {
      return isExpressed
    },
  }
}
