import type { Readable } from 'node:stream'
import type { ExportRow } from '../../core/metadata/metadata-tables.ts'

/** Where the files of exports lie. Failures are DependencyErrors of `disk` or `s3`, `read_only` where there is no room. */
export interface ExportContent {
  /**
   * Keeps what the pieces say; all of it or nothing. The same key a second time takes the place of the first.
   *
   * @returns bytes
   * @throws ExportTooLarge past the bound of one file
   */
  write(key: string, mediaType: string, pieces: AsyncIterable<string | Uint8Array>): Promise<number>
  /** Null when there is no such file. */
  open(key: string): Promise<{ readonly length: number; readonly body: Readable } | null>
  /** Of a file that is not there, too. */
  remove(key: string): Promise<void>
}

/** An export that is larger than `MILLRACE_EXPORT_BYTES_MAX`. */
export class ExportTooLarge extends Error {
  constructor(bytesMax: number) {
    super(
      `It would have more than ${bytesMax} bytes, the most that one export may have. Ask for less at once.`,
    )
    this.name = 'ExportTooLarge'
  }
}

/** The key of an attempt's file: of two processes that work on one export each has its own. */
export function contentKey(
  { dataset_id, id }: Pick<ExportRow, 'dataset_id' | 'id'>,
  attempt: number,
): string {
  return `exports/${dataset_id}/${id}-${attempt}`
}

/** Files of an export that any attempt may have left. */
export async function removeContents(
  content: ExportContent,
  row: ExportRow,
  attempts: number,
): Promise<void> {
  for (let attempt = 1; attempt <= attempts; attempt++) await content.remove(contentKey(row, attempt))
}
