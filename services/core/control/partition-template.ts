import { suggestion } from './nearest-name.ts'

/** One piece of a delivery's `partition_by`, in order. */
export type TemplatePart =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'dataset' | 'event' }
  /** `format` is made of yyyy, MM, dd, HH (UTC) and separators. */
  | { readonly kind: 'landed' | 'event_time' | 'collector_time'; readonly format: string }

export interface TemplateFault {
  readonly message: string
  /** Index of the UTF-16 code unit where it went wrong. */
  readonly position: number
}

/** Hive style, by the hour in which the broker took the events. */
export const DEFAULT_PARTITION_TEMPLATE = 'dataset={dataset}/dt={landed:yyyy-MM-dd}/hour={landed:HH}'

const PLAIN = ['dataset', 'event'] as const
const TIMES = ['landed', 'event_time', 'collector_time'] as const
/** Characters that are safe in an object key, the same as in a delivery's prefix. */
const LITERAL = /^[A-Za-z0-9!_.*()=/-]*$/
const FORMAT = /^(?:yyyy|MM|dd|HH|[-_.])+$/

/**
 * Reads the template of the folders that a delivery's objects lie in: literal text with `{dataset}`, `{event}` and
 * `{landed:FORMAT}`, `{event_time:FORMAT}`, `{collector_time:FORMAT}`; folders are separated by slashes.
 */
export function parsePartitionTemplate(template: string): readonly TemplatePart[] | TemplateFault {
  const parts: TemplatePart[] = []
  let at = 0
  while (at < template.length) {
    const open = template.indexOf('{', at)
    const literal = template.slice(at, open === -1 ? template.length : open)
    if (literal !== '') {
      if (!LITERAL.test(literal))
        return { message: 'only letters, digits and !_.*()=/- may stand outside of braces', position: at }
      parts.push({ kind: 'literal', text: literal })
    }
    if (open === -1) break
    const close = template.indexOf('}', open)
    if (close === -1) return { message: 'this brace is not closed', position: open }
    const part = parsePlaceholder(template.slice(open + 1, close))
    if (typeof part === 'string') return { message: part, position: open }
    parts.push(part)
    at = close + 1
  }
  // Placeholders stand for text without slashes, so any stand-in shows the folders.
  const folders = parts
    .map((part) => (part.kind === 'literal' ? part.text : 'x'))
    .join('')
    .split('/')
  if (folders.some((folder) => folder === '' || /^\.+$/.test(folder)))
    return { message: 'a folder is empty or made of dots; no slash may lead or trail', position: 0 }
  return parts
}

function parsePlaceholder(text: string): TemplatePart | string {
  const [name = '', format] = text.split(/:(.*)/s)
  const plain = PLAIN.find((known) => known === name)
  if (plain !== undefined) return format === undefined ? { kind: plain } : `{${plain}} takes no format`
  const time = TIMES.find((known) => known === name)
  if (time === undefined) return `there is no placeholder {${name}}${suggestion(name, [...PLAIN, ...TIMES])}`
  if (format === undefined) return `{${time}} needs a format, for example {${time}:yyyy-MM-dd}`
  if (!FORMAT.test(format))
    return `the format of {${time}} is made of yyyy, MM, dd, HH and the separators _ . -`
  return { kind: time, format }
}
