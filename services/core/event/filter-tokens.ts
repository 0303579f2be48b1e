import { FILTER_LIMITS, FilterError } from './filter-expression.ts'

export interface Token {
  readonly kind: 'word' | 'text' | 'number' | 'symbol' | 'end'
  /** The word or symbol; the content of a quoted text. */
  readonly text: string
  readonly number: number
  /** Index of its first UTF-16 code unit. */
  readonly at: number
}

const SPACE = /[ \t\r\n]+/y
const WORD = /[A-Za-z_$][A-Za-z0-9_$]*/y
const NUMBER = /-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const SYMBOL = /!=|<=|>=|[=<>(),.[\]]/y

/**
 * Splits a filter into tokens, the last one of kind `end`. Every pattern is anchored and linear.
 *
 * @throws FilterError
 */
export function filterTokens(text: string): readonly Token[] {
  const tokens: Token[] = []
  const fail = (message: string, position: number): never => {
    throw new FilterError(text, { message, position })
  }
  const take = (pattern: RegExp, at: number): string | null => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0] ?? null
  }
  const add = (kind: Token['kind'], at: number, value: string, number = 0) =>
    tokens.push({ kind, text: value, number, at })

  if (text.length > FILTER_LIMITS.length)
    fail(`a filter has at most ${FILTER_LIMITS.length} characters`, FILTER_LIMITS.length)
  let at = 0
  while (at < text.length) {
    const space = take(SPACE, at)
    if (space !== null) {
      at += space.length
      continue
    }
    const first = text[at]!
    if (first === "'" || first === '"') {
      const { content, end } = quoted(text, at) ?? fail('this text has no closing quote', at)
      add('text', at, content)
      at = end
      continue
    }
    const number = take(NUMBER, at)
    if (number !== null) {
      const value = Number(number) + 0 // −0 becomes 0
      const end = at + number.length
      if (take(WORD, end) !== null) fail('a number ends where a letter begins; is a quote missing?', end)
      if (Math.abs(value) > Number.MAX_SAFE_INTEGER)
        fail('a number is at most 9007199254740991: larger ones are not exact in JSON', at)
      add('number', at, number, value)
      at = end
      continue
    }
    const word = take(WORD, at)
    const symbol = word === null ? take(SYMBOL, at) : null
    const found = word ?? symbol ?? fail(hintFor(text.slice(at, at + 2)), at)
    add(word === null ? 'symbol' : 'word', at, found)
    at += found.length
  }
  add('end', text.length, '')
  return tokens
}

/** A text in single or double quotes; the quote itself is written twice inside. Null when it does not end. */
function quoted(text: string, start: number): { content: string; end: number } | null {
  const quote = text[start]!
  let content = ''
  let from = start + 1
  for (;;) {
    const close = text.indexOf(quote, from)
    if (close === -1) return null
    content += text.slice(from, close)
    if (text[close + 1] !== quote) return { content, end: close + 1 }
    content += quote
    from = close + 2
  }
}

function hintFor(text: string): string {
  if (text === '&&') return 'write "and" instead of "&&"'
  if (text === '||') return 'write "or" instead of "||"'
  if (text.startsWith('!')) return 'write "not" instead of "!"'
  if (text.startsWith('~')) return 'there are no regular expressions; use contains, starts with or ends with'
  return 'this character has no meaning here'
}
