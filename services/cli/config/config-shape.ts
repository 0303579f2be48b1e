import { Ajv, type ErrorObject } from 'ajv'
import { Delivery, Key, Slug } from '../../../schemas/control/v1.ts'
import { suggestion } from '../../core/control/nearest-name.ts'
import type { ConfigDocument, ConfigFault, ConfigPath } from './config-document.ts'
import { ConfigShape } from './config-schema.ts'

const validate = new Ajv({ allErrors: true, verbose: true }).compile(ConfigShape)

/** Faults of names, types and single values; none means that the document's value is a `ConfigContent`. */
export function shapeFaults(document: ConfigDocument): readonly ConfigFault[] {
  if (validate(document.value)) return []
  const errors = validate.errors ?? []
  // A value that fits no branch of an "anyOf" is one fault, told by the anyOf itself.
  const unions = errors.filter((error) => error.keyword === 'anyOf').map((error) => `${error.schemaPath}/`)
  return errors
    .filter((error) => !unions.some((union) => error.schemaPath.startsWith(union)))
    .map((error) => faultOf(document, error))
}

function faultOf(document: ConfigDocument, error: ErrorObject): ConfigFault {
  const path = pathOf(document.value, error.instancePath)
  const { params, parentSchema } = error
  switch (error.keyword) {
    case 'additionalProperties': {
      const name = String(params.additionalProperty)
      const known = Object.keys((parentSchema as { properties?: object }).properties ?? {})
      return document.faultAtName(
        [...path, name],
        `"${name}" is not a setting here${suggestion(name, known)}`,
      )
    }
    case 'required':
      return document.faultAt(path, `"${params.missingProperty}" is missing`)
    case 'type':
      return document.faultAt(path, `must be ${article(String(params.type))}, not ${kindOf(error.data)}`)
    case 'const':
      return document.faultAt(path, `must be ${JSON.stringify(params.allowedValue)}`)
    case 'anyOf':
      return document.faultAt(path, unionMessage(error))
    case 'pattern':
      return document.faultAt(path, patternMessage(String(params.pattern)))
    case 'minimum':
      return document.faultAt(path, `must be at least ${params.limit}`)
    case 'maximum':
      return document.faultAt(path, `must be at most ${params.limit}`)
    case 'minLength':
      return document.faultAt(path, 'must not be empty')
    case 'minItems':
      return document.faultAt(path, 'needs at least one entry; leave it out for all')
    case 'maxLength':
      return document.faultAt(path, `must have at most ${params.limit} characters`)
    case 'maxItems':
      return document.faultAt(path, `must have at most ${params.limit} entries`)
    default:
      return document.faultAt(path, error.message ?? 'is not allowed here')
  }
}

/** A JSON pointer as names and list positions. */
function pathOf(value: unknown, pointer: string): ConfigPath {
  let at = value
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((name) => {
      const step = Array.isArray(at) ? Number(name) : name
      at = (at as Record<string | number, unknown>)[step]
      return step
    })
}

interface UnionBranch {
  readonly const?: unknown
  readonly type?: string
  readonly pattern?: string
}

function unionMessage(error: ErrorObject): string {
  const branches = error.schema as readonly UnionBranch[]
  const literals = branches.map((branch) => branch.const).filter((literal) => literal !== undefined)
  if (literals.length === branches.length) {
    const names = literals.map(String)
    const hint = typeof error.data === 'string' ? suggestion(error.data, names) : ''
    return `must be one of ${names.join(', ')}${hint}`
  }
  return branches
    .map((branch) =>
      branch.pattern === undefined
        ? `must be ${article(String(branch.type))}`
        : patternMessage(branch.pattern),
    )
    .join(', or ')
}

const { rotate, bucket, prefix } = Delivery.properties
/** What the patterns of the control schemas mean, in words. */
const PATTERNS = new Map<string | undefined, string>([
  [Slug.pattern, 'must be 1 to 63 lower-case letters, digits and inner hyphens'],
  [
    Key.properties.sha256.pattern,
    'must be a SHA-256: 64 lower-case hexadecimal digits ("millrace key new" prints it)',
  ],
  [rotate.properties.age.pattern, 'must be a duration like 30s, 5m, 12h or 7d'],
  [rotate.properties.bytes.anyOf[1].pattern, 'must be a size like 64KB, 128MB or 1GB'],
  [prefix.pattern, 'must be folders of letters, digits and !_.*()=- without leading or trailing slash'],
  [bucket.pattern, 'must be a bucket name: lower-case letters, digits, dots and hyphens'],
])

function patternMessage(pattern: string): string {
  return PATTERNS.get(pattern) ?? `must match ${pattern}`
}

function article(type: string): string {
  const words: Record<string, string> = {
    array: 'a list',
    object: 'an object',
    integer: 'a whole number',
    string: 'a text',
    boolean: 'true or false',
  }
  return words[type] ?? `a ${type}`
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'empty'
  if (Array.isArray(value)) return 'a list'
  return article(typeof value)
}
