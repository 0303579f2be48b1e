import { invalidInput } from './api-error.ts'

/** Bodies that routes take which say so, beside JSON. */
export const UPLOAD_TYPES = ['text/csv', 'multipart/form-data'] as const

/** A file that was sent, with the fields that stood beside it. */
export class Upload {
  readonly fields: Readonly<Record<string, string>>
  readonly csv: string

  constructor(csv: string, fields: Readonly<Record<string, string>> = {}) {
    this.csv = csv
    this.fields = fields
  }
}

export function isUpload(contentType: string | undefined): boolean {
  const type = contentType?.split(';')[0]?.trim().toLowerCase()
  return UPLOAD_TYPES.some((one) => one === type)
}

/**
 * A CSV file as it is, or the part `csv` of a form; the other parts of a form are its fields.
 *
 * @throws ApiError 400 for what is no form, or none with a file
 */
export async function readUpload(contentType: string, body: Buffer): Promise<Upload> {
  if (!/^multipart/i.test(contentType)) return new Upload(body.toString('utf8'))
  const form = await new Response(new Uint8Array(body), { headers: { 'content-type': contentType } })
    .formData()
    .catch(() => {
      throw invalidInput('body', 'This is no multipart form.', 'parse_error')
    })
  const fields: Record<string, string> = {}
  for (const [name, value] of form) if (typeof value === 'string') fields[name] = value
  const file = form.get('csv')
  if (file === null) throw invalidInput('csv', 'This field is required.', 'required')
  const { csv, ...others } = fields
  return new Upload(csv ?? (await (file as File).text()), others)
}
