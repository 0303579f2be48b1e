import { DuckDBInstance, version } from '@duckdb/node-api'
import type { Field, FieldType } from '../../schemas/field.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import type { TableEncoder } from './table-encoder.ts'

/** Rows of one Parquet row group: what a reader skips or takes at once, and what the encoder holds in memory. */
const ROW_GROUP_ROWS = 50_000

/** Types of Parquet columns; CSV takes every value as it stands in the JSON. */
const PARQUET_TYPES: Readonly<Record<FieldType, string>> = {
  text: 'VARCHAR',
  integer: 'BIGINT',
  number: 'DOUBLE',
  boolean: 'BOOLEAN',
  timestamp: 'TIMESTAMPTZ',
  text_list: 'VARCHAR[]',
  json: 'JSON',
}
const csvType = (type: FieldType) => (type === 'json' || type === 'text_list' ? 'JSON' : 'VARCHAR')

/**
 * Longest line of JSON, bytes. The encoder takes memory by this number and not by what the lines have, so it is first
 * told what records usually stay far below, and once more what none can pass.
 */
const LINE_BYTES_USUAL = 4 * 1024 * 1024
const LINE_BYTES_MAX = 64 * 1024 * 1024

/**
 * DuckDB as the encoder. One thread per batch, because another number of threads gives other bytes; batches run
 * side by side on connections of their own.
 *
 * @param memoryBytesMax of all encodings together
 * @param tempDir        where DuckDB spills to when it would pass that
 */
export async function openDuckdbEncoder(memoryBytesMax: number, tempDir: string): Promise<TableEncoder> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    memory_limit: `${Math.ceil(memoryBytesMax / 1024 / 1024)}MiB`,
    temp_directory: tempDir,
    // Its allocator else keeps hundreds of megabytes from one batch for the next one, which comes when it comes.
    allocator_flush_threshold: '8MiB',
    allocator_bulk_deallocation_flush_threshold: '8MiB',
    allocator_background_threads: 'true',
    preserve_insertion_order: 'true',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  return {
    id: `duckdb-${version().replace(/^v/, '')}-${ROW_GROUP_ROWS}`,
    async encode(from, rows, fields, table, to) {
      const connection = await instance.connect()
      try {
        await connection.run("SET timezone = 'UTC'")
        const typeOf = (field: Field) =>
          table.format === 'parquet' ? PARQUET_TYPES[field.type] : csvType(field.type)
        const columns = fields.map((field) => `${literal(field.name)}: ${literal(typeOf(field))}`).join(', ')
        const source = (lineBytes: number) =>
          `read_json(${literal(from)}, format = 'newline_delimited', auto_detect = false,
          maximum_object_size = ${lineBytes}, columns = {${columns}})`
        const options =
          table.format === 'parquet'
            ? `FORMAT parquet, COMPRESSION ${table.pages}, ROW_GROUP_SIZE ${ROW_GROUP_ROWS}`
            : "FORMAT csv, HEADER true, DELIMITER ',', QUOTE '\"', ESCAPE '\"', NULLSTR ''"
        const copy = (lineBytes: number) =>
          connection.runAndReadAll(`COPY (SELECT * FROM ${source(lineBytes)}) TO ${literal(to)} (${options})`)
        const result = await copy(LINE_BYTES_USUAL).catch((error: Error) => {
          if (!error.message.includes('maximum_object_size')) throw error
          return copy(LINE_BYTES_MAX)
        })
        const written = Number(result.getRows()[0]?.[0])
        return written === rows ? null : `${rows} rows were given, ${written} came out.`
      } catch (error) {
        return faultOf(error as Error)
      } finally {
        connection.closeSync()
      }
    },
    close: () => instance.closeSync(),
  }
}

/** @returns the reason when the rows are at fault; throws when the disk is, or the program */
function faultOf(error: Error): string {
  const [kind] = error.message.split(':', 1)
  if (/^(Invalid Input|Conversion|Serialization|Parser) Error$/.test(kind ?? ''))
    return error.message.split('\n', 1)[0] as string
  if (kind === 'IO Error' || /no space left|Could not write/i.test(error.message))
    throw new DependencyError('disk', 'read_only', `Encoding failed: ${error.message}`, error)
  if (kind === 'Out of Memory Error')
    throw new DependencyError(
      'disk',
      'unavailable',
      `Encoding had too little memory: ${error.message}`,
      error,
    )
  throw error
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
