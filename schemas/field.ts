/**
 * One column of a flat record. The tables built from these (`schemas/<noun>/v<major>.ts`) are the single source
 * of the TypeScript types, the JSON that stages write, the Parquet and CSV columns, the ClickHouse and warehouse
 * DDL, and the generated reference.
 */
export interface Field {
  readonly name: string
  readonly type: FieldType
  /** `false` for the few keys that are never null; every key is always present. */
  readonly nullable: boolean
  readonly group: string
  /** One sentence for the reference; units included. */
  readonly doc: string
}

/**
 * How a value looks in JSON, and what it becomes elsewhere:
 *
 * | type      | JSON                                   | Parquet           | ClickHouse            |
 * |-----------|----------------------------------------|-------------------|-----------------------|
 * | text      | string                                 | VARCHAR           | String                |
 * | integer   | number, |n| < 2^53                     | BIGINT            | Int64                 |
 * | number    | number                                 | DOUBLE            | Float64               |
 * | boolean   | true / false                           | BOOLEAN           | Bool                  |
 * | timestamp | "2026-01-31T23:59:59.123Z", always UTC | TIMESTAMPTZ (ms)  | DateTime64(3, 'UTC')  |
 * | text_list | array of strings                       | VARCHAR[]         | Array(String)         |
 * | json      | object, as the client sent it          | JSON (text)       | String (JSON text)    |
 */
export type FieldType = 'text' | 'integer' | 'number' | 'boolean' | 'timestamp' | 'text_list' | 'json'

/** A JSON object of unknown shape: customers' own properties. */
export type JsonObject = { [key: string]: unknown }

interface ValueOf {
  text: string
  integer: number
  number: number
  boolean: boolean
  timestamp: string
  text_list: readonly string[]
  json: JsonObject
}

/** The record type that a field table describes. */
export type RecordOf<F extends readonly Field[]> = {
  [K in F[number] as K['name']]: K['nullable'] extends true ? ValueOf[K['type']] | null : ValueOf[K['type']]
}
