import { type Static, Type } from '@sinclair/typebox'
import type { ExportRow } from '../../core/metadata/metadata-tables.ts'
import { invalidInput } from '../http/api-error.ts'
import { readBody } from '../http/read-body.ts'
import { readTime } from '../objects/object-body.ts'

const DAY_MS = 86_400_000
/** Half a year, as clients of product-analytics APIs expect. */
export const LIFE_MS = 182 * DAY_MS
export const LIFE_MS_MAX = 366 * DAY_MS

const ObjectNumber = Type.Integer({ minimum: 1, maximum: 999_999_999_999_999 })

export const ExportBody = Type.Object(
  {
    insight: Type.Optional({ ...ObjectNumber, description: 'Number of a saved insight.' }),
    dashboard: Type.Optional({ ...ObjectNumber, description: 'Number of a dashboard.' }),
    export_context: Type.Optional(
      Type.Object(
        {
          path: Type.String({
            minLength: 1,
            maxLength: 32_768,
            description:
              'Of a list or an insight of this dataset, with its parameters: `events?event=purchase`.',
          }),
          body: Type.Optional(
            Type.Record(Type.String(), Type.Unknown(), { description: 'Its parameters as JSON.' }),
          ),
          filename: Type.Optional(Type.String({ minLength: 1, maxLength: 100 })),
        },
        { additionalProperties: false },
      ),
    ),
    export_format: Type.String({ description: 'text/csv or application/json.' }),
    expires_after: Type.Optional(
      Type.String({ maxLength: 40, description: 'When it is removed; in half a year when left out.' }),
    ),
  },
  { additionalProperties: false },
)
export type ExportBody = Static<typeof ExportBody>

/** @throws ApiError 400 */
export function readExportBody(
  given: unknown,
  nowMs: number,
): { readonly body: ExportBody; readonly mediaType: ExportRow['media_type']; readonly expiresMs: number } {
  const body = readBody(ExportBody, given)
  return {
    body,
    mediaType: readMediaType(body.export_format),
    expiresMs: readExpiry(body.expires_after, nowMs),
  }
}

function readMediaType(text: string): ExportRow['media_type'] {
  if (text === 'text/csv' || text === 'application/json') return text
  const isPicture = text.startsWith('image/') || text === 'application/pdf'
  throw invalidInput(
    'export_format',
    isPicture
      ? 'Pictures are not drawn here: no browser runs beside this API. Take text/csv or application/json and draw it in your client, or a notebook.'
      : 'export_format must be text/csv or application/json.',
    isPicture ? 'not_supported' : 'invalid_input',
  )
}

function readExpiry(text: string | undefined, nowMs: number): number {
  if (text === undefined) return nowMs + LIFE_MS
  const ms = readTime(text, 'expires_after')
  if (ms > nowMs && ms <= nowMs + LIFE_MS_MAX) return ms
  throw invalidInput('expires_after', 'This must be a time within the next 366 days.')
}

/** What stands before the extension of a file's name: it goes into a header as it is. */
export function plainName(text: string): string {
  return text.replace(/\.(csv|json)$/, '').replace(/[^A-Za-z0-9_.-]+/g, '-')
}
