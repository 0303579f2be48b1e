import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { JsonObject } from '../../../schemas/field.ts'
import { linearPattern } from './linear-pattern.ts'
import { SCHEMA_FORMATS } from './schema-formats.ts'

/** A customer's JSON Schema, compiled. */
export interface EventValidator {
  /**
   * @param properties the event's properties; never changed, nothing is coerced, filled in or removed
   * @param bytes      size of the event; small ones are told everything that is wrong, large ones the first thing
   * @returns what is wrong, `properties.<path>: <what>`, in the order of the schema; empty when nothing is
   */
  violations(properties: JsonObject, bytes: number): readonly string[]
}

/** Why a schema cannot be used; the message is a sentence's end. */
export class EventSchemaError extends Error {
  override readonly name = 'EventSchemaError'
}

/** Subschemas once every reference is replaced by what it names. Bounds the time that one event can take. */
export const SUBSCHEMAS_MAX = 5_000
/** Steps of one pattern over one text; a text too long for its pattern does not match it. */
export const PATTERN_STEPS_MAX = 1_000_000
/** Violations that are told of one event. */
export const VIOLATIONS_MAX = 20
/** Events up to this size are checked to their end after the first violation, bytes. */
export const FULL_CHECK_BYTES_MAX = 16 * 1024

/**
 * Compiles the schema that a dataset registered for one event name: draft-07 where `$schema` says so, else 2020-12.
 *
 * A schema is a customer's program that runs on other customers' machines, so what could take unbounded time is not
 * there: patterns are matched in linear time (`linear-pattern.ts`), `uniqueItems` is checked with a set, references
 * stay inside the document and may not recurse, and their expansion is bounded. Unknown keywords and formats are
 * faults: a typing error must not switch a check off.
 *
 * @throws EventSchemaError naming what is wrong
 */
export function compileEventSchema(schema: JsonObject): EventValidator {
  checkSize(schema)
  const first = compile(schema, false)
  let all: ValidateFunction | null = null
  return {
    violations(properties, bytes) {
      if (first(properties)) return []
      if (bytes > FULL_CHECK_BYTES_MAX) return describe(first.errors)
      all ??= compile(schema, true)
      all(properties)
      return describe(all.errors)
    },
  }
}

const OPTIONS: Options = {
  strictSchema: true,
  strictTypes: false,
  strictTuples: false,
  strictRequired: false,
  allowUnionTypes: true,
  validateFormats: true,
  logger: false,
  // Nothing is shared between schemas, so a definition's $id cannot meet another customer's.
  addUsedSchema: false,
  code: {
    regExp: Object.assign(
      (source: string) => {
        const pattern = linearPattern(source)
        const charactersMax = Math.floor(PATTERN_STEPS_MAX / pattern.states)
        return {
          test: (text: string) => text.length <= charactersMax && pattern.test(text),
          // The compiler keeps patterns under their text and takes two with the same one for the same.
          toString: () => `/${source}/`,
        }
      },
      // Asked for by generated standalone code only, which is never made.
      { code: 'linearPattern' },
    ),
  },
}

/** An instance per schema: dropped together with it, while a shared one would keep every schema it ever saw. */
function compile(schema: JsonObject, allErrors: boolean): ValidateFunction {
  const draft07 = typeof schema.$schema === 'string' && schema.$schema.includes('draft-07')
  const ajv = draft07 ? new Ajv({ ...OPTIONS, allErrors }) : new Ajv2020({ ...OPTIONS, allErrors })
  for (const [name, check] of Object.entries(SCHEMA_FORMATS)) ajv.addFormat(name, check)
  ajv.addVocabulary(['example'])
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    error: { message: 'must not have equal items' },
    validate: (wanted: boolean, items: readonly unknown[]) => !wanted || allUnique(items),
  })
  try {
    return ajv.compile(schema)
  } catch (error) {
    throw new EventSchemaError((error as Error).message)
  }
}

/** The built-in check compares every pair of items. */
function allUnique(items: readonly unknown[]): boolean {
  const seen = new Set<string>()
  for (const item of items) {
    const text = sortedJson(item)
    if (seen.has(text)) return false
    seen.add(text)
  }
  return true
}

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}

function describe(errors: readonly ErrorObject[] | null | undefined): string[] {
  const told = (errors ?? [])
    .slice(0, VIOLATIONS_MAX)
    .map((error) => `${path(error.instancePath)}: ${message(error)}`)
  const left = (errors?.length ?? 0) - told.length
  return left > 0 ? [...told, `and ${left} more`] : told
}

/** `/items/0/a~1b` → `properties.items[0].a/b`, cut: names are the sender's. */
function path(pointer: string): string {
  const parts = pointer.split('/').slice(1)
  const text = parts.map((part) =>
    /^\d+$/.test(part) ? `[${part}]` : `.${part.replaceAll('~1', '/').replaceAll('~0', '~')}`,
  )
  return cut(`properties${text.join('')}`)
}

function message({ keyword, params, message: text = 'is wrong' }: ErrorObject): string {
  if (keyword === 'additionalProperties')
    return `${text}: ${JSON.stringify(cut(String(params.additionalProperty)))}`
  if (keyword === 'enum') return `${text}: ${cut(JSON.stringify(params.allowedValues))}`
  if (keyword === 'const') return `must be ${cut(JSON.stringify(params.allowedValue))}`
  return cut(text)
}

function cut(text: string): string {
  return text.length > 200 ? `${text.slice(0, 199).toWellFormed()}…` : text
}

/** Keywords whose value is a subschema, a list of them, or an object of them. */
const ONE = [
  'additionalProperties',
  'additionalItems',
  'items',
  'contains',
  'not',
  'if',
  'then',
  'else',
  'propertyNames',
  'unevaluatedItems',
  'unevaluatedProperties',
]
const LISTS = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items']
const OBJECTS = ['properties', 'patternProperties', 'dependentSchemas', 'dependencies']
const NEVER = ['$dynamicRef', '$recursiveRef', '$dynamicAnchor', '$recursiveAnchor', '$anchor']

/** Walks over the schema as it is applied: through its references. */
function checkSize(root: JsonObject): void {
  let subschemas = 0
  const open = new Set<unknown>()

  function visit(schema: unknown): void {
    if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return
    if (open.has(schema))
      throw new EventSchemaError('it refers to itself; recursive schemas are not supported')
    if (++subschemas > SUBSCHEMAS_MAX)
      throw new EventSchemaError(
        `it has more than ${SUBSCHEMAS_MAX} subschemas once its references are followed`,
      )
    const members = schema as JsonObject
    for (const keyword of NEVER)
      if (Object.hasOwn(members, keyword)) throw new EventSchemaError(`${keyword} is not supported`)
    if (schema !== root && Object.hasOwn(members, '$id'))
      throw new EventSchemaError('$id is supported at the top only')
    open.add(schema)
    if (Object.hasOwn(members, '$ref')) visit(target(members.$ref))
    for (const keyword of ONE) if (Object.hasOwn(members, keyword)) visit(members[keyword])
    for (const keyword of LISTS) {
      const list = Object.hasOwn(members, keyword) ? members[keyword] : null
      if (Array.isArray(list)) list.forEach(visit)
    }
    for (const keyword of OBJECTS) {
      const named = Object.hasOwn(members, keyword) ? members[keyword] : null
      if (typeof named === 'object' && named !== null) Object.values(named).forEach(visit)
    }
    open.delete(schema)
  }

  function target(reference: unknown): unknown {
    if (reference === '#') return root
    const pointer = typeof reference === 'string' ? /^#((?:\/[^/]+)+)$/.exec(reference)?.[1] : undefined
    if (pointer === undefined) throw new EventSchemaError(`$ref must be "#/…" within the schema`)
    let value: unknown = root
    for (const part of pointer.slice(1).split('/')) {
      const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
      value =
        typeof value === 'object' && value !== null && Object.hasOwn(value, name)
          ? (value as JsonObject)[name]
          : undefined
    }
    if (value === undefined)
      throw new EventSchemaError(`$ref ${cut(JSON.stringify(reference))} names nothing`)
    return value
  }

  visit(root)
}
