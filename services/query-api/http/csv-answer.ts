import type { Answer } from './route.ts'

/**
 * CSV as a file to keep.
 *
 * @param name of the file: plain characters only, it goes into a header as it is
 */
export function csvAnswer(
  name: string,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    headers: {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': `attachment; filename="${name}"`,
      ...headers,
    },
    body: text,
  }
}
