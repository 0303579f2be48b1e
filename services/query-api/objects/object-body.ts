import { type Static, type TObject, type TSchema, Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import { readBody } from '../http/read-body.ts'

/** What PUT and PATCH take beside the fields. */
const Beside = {
  deleted: Type.Optional(
    Type.Boolean({ description: 'Deletes it so that it can be restored, or restores it.' }),
  ),
  updated_at: Type.Optional(
    Type.String({
      maxLength: 40,
      description: 'Of the object that the change was made from; 409 when it has changed since.',
    }),
  ),
}

/** Body of PUT: the fields as POST has them. */
export function putBody(fields: TObject): TSchema {
  return Type.Object({ ...fields.properties, ...Beside }, { additionalProperties: false })
}

/** Body of PATCH: some of them. */
export function patchBody(fields: TObject): TSchema {
  return Type.Partial(putBody(fields) as TObject, { additionalProperties: false })
}

export interface ObjectChange<F extends TObject> {
  readonly fields: Partial<Static<F>>
  readonly deleted: boolean | null
  /** Epoch ms; null when the caller takes whatever is there. */
  readonly seenMs: number | null
}

/** @throws ApiError 400 */
export function readChange<F extends TObject>(schema: TSchema, body: unknown): ObjectChange<F> {
  const { deleted, updated_at, ...fields } = readBody(schema, body) as Static<F> & {
    readonly deleted?: boolean
    readonly updated_at?: string
  }
  return {
    fields: fields as Partial<Static<F>>,
    deleted: deleted ?? null,
    seenMs: updated_at === undefined ? null : readTime(updated_at, 'updated_at'),
  }
}

/** An ISO 8601 time with an offset, or a date, which is its midnight in UTC. @throws ApiError 400 */
export function readTime(text: string, attr: string): number {
  const isTime = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/.test(text)
  const ms = isTime ? Date.parse(text) : Number.NaN
  // JavaScript takes the 31st of February for the 3rd of March.
  if (Number.isNaN(ms) || !isCalendarDay(text))
    throw invalidInput(attr, 'Write it as ISO 8601, e.g. 2027-01-31T12:00:00Z.')
  return ms
}

function isCalendarDay(text: string): boolean {
  const day = text.slice(0, 10)
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day)
}
