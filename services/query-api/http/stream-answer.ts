import { Readable } from 'node:stream'
import { type CsvMode, type CsvRow, csvLine } from './csv.ts'
import type { Format } from './request-parameters.ts'
import type { Answer } from './route.ts'

/** Characters that are gathered before they go on: what one answer holds in memory beside its sockets' buffers. */
const CHUNK_LENGTH = 64 * 1024

/** Rows without an end that is known beforehand, and how each stands in a file. */
export interface Table<R> {
  readonly header: readonly string[]
  readonly rows: AsyncIterable<R>
  readonly cells: (row: R) => CsvRow
}

/**
 * A table as text, row after row. The next row is asked for when the text of those before was taken.
 *
 * JSON is a page with everything in it, `{"next": null, "results": […]}`.
 *
 * @param written counts on the way
 */
export async function* tableText<R>(
  table: Table<R>,
  format: Format,
  mode: CsvMode,
  written: { rows: number },
): AsyncGenerator<string> {
  const isCsv = format === 'csv'
  let text = isCsv ? csvLine(table.header, mode) : '{"next":null,"results":['
  for await (const row of table.rows) {
    if (isCsv) text += csvLine(table.cells(row), mode)
    else text += (written.rows === 0 ? '' : ',') + JSON.stringify(row)
    written.rows++
    if (text.length < CHUNK_LENGTH) continue
    yield text
    text = ''
  }
  yield isCsv ? text : `${text}]}`
}

/**
 * An answer that is sent while it is made. Whatever fails before the first piece is an ordinary error; whatever fails
 * after it breaks the connection off, so that no client takes a part for the whole.
 *
 * @param name of the file, without its extension: plain characters only, it goes into a header as it is
 * @throws what the first piece throws
 */
export async function streamAnswer<R>(
  name: string,
  table: Table<R>,
  format: Format,
  mode: CsvMode,
): Promise<Answer> {
  const written = { rows: 0 }
  const pieces = tableText(table, format, mode, written)
  const first = await pieces.next()
  return {
    headers: {
      'content-type': format === 'csv' ? 'text/csv; charset=utf-8' : 'application/json; charset=utf-8',
      'content-disposition': `attachment; filename="${name}.${format}"`,
    },
    body: Readable.from(withFirst(first, pieces), { objectMode: false }),
    written,
  }
}

async function* withFirst(first: IteratorResult<string>, rest: AsyncGenerator<string>) {
  try {
    if (!first.done) yield first.value
    yield* rest
  } finally {
    await rest.return(undefined)
  }
}
