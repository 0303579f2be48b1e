import { invalidInput } from '../http/api-error.ts'

export const SELECTOR_LIMITS = {
  /** Elements that one selector speaks of. */
  parts: 10,
  length: 1_000,
  /** Of one filter. */
  selectors: 20,
} as const

/** What a selector asks of one element. */
export interface SelectorPart {
  /** Lower case; null for any. */
  readonly tag: string | null
  readonly id: string | null
  readonly classes: readonly string[]
  /** By name; null for one that has to be there, whatever it holds. */
  readonly attributes: readonly (readonly [name: string, value: string | null])[]
  readonly nthChild: number | null
  readonly nthOfType: number | null
  /** Whether it lies directly in the element of the part before, and not somewhere in it. */
  readonly isChild: boolean
}

const NAME = String.raw`(?:[\w-]|[^\x00-\x7f]|\\[0-9a-f]{1,6}\s?|\\[^\n0-9a-f])+`
const COMBINATOR = /\s*(>)\s*|\s+/y
const TAG = /\*|[a-z][\w-]*/iy
const SIMPLE = new RegExp(
  String.raw`#(?<id>${NAME})|\.(?<class>${NAME})` +
    String.raw`|\[\s*(?<attribute>[\w:-]+)\s*(?:=\s*(?:"(?<double>[^"]*)"|'(?<single>[^']*)'|(?<bare>[\w-]+))\s*)?\]` +
    String.raw`|:nth-(?<nth>child|of-type)\(\s*(?<place>\d{1,6})\s*\)`,
  'iy',
)

/**
 * Reads a CSS selector as recorders of clicks write it: tags, `#id`, `.class`, `[attribute]`, `[attribute="value"]`,
 * `:nth-child(n)` and `:nth-of-type(n)`, joined by blanks and `>`.
 *
 * @returns the outermost element first
 * @throws ApiError 400 for what is no such selector
 */
export function readSelector(text: string, attr: string): SelectorPart[] {
  const given = text.trim()
  if (given.length > SELECTOR_LIMITS.length)
    throw invalidInput(attr, `A selector has at most ${SELECTOR_LIMITS.length} characters.`)
  const parts: SelectorPart[] = []
  let at = 0
  let isChild = false
  for (;;) {
    const { part, end } = readPart(given, at, isChild)
    if (end === at) throw unreadable(given, at, attr)
    parts.push(part)
    if (end === given.length) return parts
    if (parts.length === SELECTOR_LIMITS.parts)
      throw invalidInput(attr, `A selector speaks of at most ${SELECTOR_LIMITS.parts} elements.`)
    const combinator = matchAt(COMBINATOR, given, end)
    if (combinator === null) throw unreadable(given, end, attr)
    isChild = combinator[1] === '>'
    at = end + combinator[0].length
  }
}

function readPart(text: string, start: number, isChild: boolean): { part: SelectorPart; end: number } {
  const classes: string[] = []
  const attributes: [string, string | null][] = []
  const tag = matchAt(TAG, text, start)?.[0] ?? ''
  let [id, nthChild, nthOfType]: [string | null, number | null, number | null] = [null, null, null]
  let at = start + tag.length
  for (;;) {
    const found = matchAt(SIMPLE, text, at)
    const groups = found?.groups
    if (found === null || groups === undefined) break
    at += found[0].length
    if (groups.id !== undefined) id = unescaped(groups.id)
    else if (groups.class !== undefined) classes.push(unescaped(groups.class))
    else if (groups.attribute !== undefined)
      attributes.push([groups.attribute, groups.double ?? groups.single ?? groups.bare ?? null])
    else if (groups.nth === 'child') nthChild = Number(groups.place)
    else nthOfType = Number(groups.place)
  }
  const named = tag === '' || tag === '*' ? null : tag.toLowerCase()
  return { part: { tag: named, id, classes, attributes, nthChild, nthOfType, isChild }, end: at }
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

/** @see https://www.w3.org/TR/css-syntax-3/#consume-escaped-code-point */
function unescaped(name: string): string {
  return name.replaceAll(
    /\\(?:([0-9a-f]{1,6})\s?|(.))/gi,
    (_, code: string | undefined, character: string) => {
      if (code === undefined) return character
      const point = Number.parseInt(code, 16)
      return point === 0 || point > 0x10ffff ? '\ufffd' : String.fromCodePoint(point)
    },
  )
}

function unreadable(text: string, at: number, attr: string) {
  return invalidInput(
    attr,
    `This selector cannot be read from character ${at + 1} on: ${JSON.stringify(text.slice(at, at + 20))}. ` +
      'It has tags, #ids, .classes, [attributes], :nth-child(n) and :nth-of-type(n), joined by blanks and >.',
  )
}
