import type { Static, TObject, TSchema } from '@sinclair/typebox'
import { Value, type ValueError, ValueErrorType } from '@sinclair/typebox/value'
import { type ApiError, invalidInput } from './api-error.ts'
import { NAME_LENGTH_MAX } from './request-parameters.ts'

export const BODY_DEPTH_MAX = 32

/**
 * A body as its schema has it. Nothing is converted and nothing left out: what a client sent by mistake is told to it.
 *
 * @param schema objects in it say `additionalProperties: false`
 * @throws ApiError 400 for the first fault, naming its field in `attr`, nested ones joined with `__`
 */
export function readBody<T extends TSchema>(schema: T, body: unknown): Static<T> {
  const object = readObject(body)
  const nul = pathOfNul(object)
  if (nul !== null) throw invalidInput(nul, 'Null characters are not allowed.', 'null_characters_not_allowed')
  if (Value.Check(schema, body)) return body
  throw faultOf(Value.Errors(schema, body).First() as ValueError, schema)
}

/**
 * A body whose members somebody else reads. Null characters are left to him.
 *
 * @throws ApiError 400 for anything but an object, and for deeper nesting than {@link BODY_DEPTH_MAX}
 */
export function readObject(body: unknown): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalidInput('body', 'Send a JSON object (Content-Type: application/json).', 'parse_error')
  refuseDeep(body, 'body')
  return body as Readonly<Record<string, unknown>>
}

/**
 * Whoever walks a value, or writes it as JSON again, does so a call deeper for each level.
 *
 * @param attr where the value stands
 * @throws ApiError 400 for deeper nesting than {@link BODY_DEPTH_MAX}
 */
export function refuseDeep(value: unknown, attr: string, depth = 0): void {
  if (depth > BODY_DEPTH_MAX)
    throw invalidInput(attr, `JSON may be nested ${BODY_DEPTH_MAX} levels deep at most.`)
  if (typeof value !== 'object' || value === null) return
  for (const part of Object.values(value)) refuseDeep(part, attr, depth + 1)
}

function faultOf(error: ValueError, schema: TSchema): ApiError {
  const attr = attrOf(error.path)
  switch (error.type) {
    case ValueErrorType.ObjectRequiredProperty:
      return invalidInput(attr, 'This field is required.', 'required')
    case ValueErrorType.ObjectAdditionalProperties:
      return invalidInput(attr, `This is not a field here. What is: ${fieldsBeside(error, schema)}.`)
    case ValueErrorType.StringMaxLength:
      return invalidInput(
        attr,
        `Ensure this field has no more than ${error.schema.maxLength} characters.`,
        'max_length',
      )
    case ValueErrorType.StringMinLength:
      return invalidInput(attr, 'This field may not be blank.', 'blank')
    case ValueErrorType.ArrayMaxItems:
      return invalidInput(attr, `There may be at most ${error.schema.maxItems} of these.`, 'max_length')
    case ValueErrorType.ArrayMinItems:
      return invalidInput(attr, `There must be at least ${error.schema.minItems} of these.`, 'min_length')
    default:
      if (error.value === null) return invalidInput(attr, 'This field may not be null.', 'null')
      return invalidInput(attr, `This must be ${wordsFor(error.schema)}.`)
  }
}

/** `/steps/0/event` as `steps__0__event`. */
function attrOf(pointer: string): string {
  const path = pointer.split('/').slice(1)
  return fieldName(path.map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~')))
}

function fieldName(path: readonly string[]): string {
  return path.join('__').slice(0, NAME_LENGTH_MAX) || 'body'
}

/** Names of the fields that the object with an unknown one may have. */
function fieldsBeside(error: ValueError, schema: TSchema): string {
  const own = (error.schema as Partial<TObject>).properties ?? (schema as Partial<TObject>).properties ?? {}
  return Object.keys(own).join(', ')
}

function wordsFor(schema: TSchema): string {
  const { anyOf, type } = schema as {
    readonly anyOf?: readonly TSchema[]
    readonly type?: string
  }
  const literals = anyOf?.flatMap((each) => ('const' in each ? [String(each.const)] : []))
  if (literals !== undefined && literals.length === anyOf?.length) return `one of ${literals.join(', ')}`
  if (anyOf !== undefined) return anyOf.map(wordsFor).join(' or ')
  if (schema.minimum !== undefined || schema.maximum !== undefined)
    return `a whole number from ${schema.minimum ?? 0} to ${schema.maximum ?? Number.MAX_SAFE_INTEGER}`
  const words: Readonly<Record<string, string>> = {
    string: 'text',
    boolean: 'true or false',
    integer: 'a whole number',
    number: 'a number',
    array: 'a list',
    object: 'an object',
    null: 'null',
  }
  return words[type ?? ''] ?? 'something else'
}

/** Where text with a NUL is, as a field; null when there is none. No text column of PostgreSQL takes one. */
function pathOfNul(value: unknown, path: readonly string[] = []): string | null {
  if (typeof value === 'string') return value.includes('\0') ? fieldName(path) : null
  if (typeof value !== 'object' || value === null) return null
  for (const [name, part] of Object.entries(value)) {
    if (name.includes('\0')) return fieldName(path)
    const found = pathOfNul(part, [...path, name])
    if (found !== null) return found
  }
  return null
}
