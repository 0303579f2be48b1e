import { SqlFault } from './sql-fault.ts'
import { SQL_LIMITS } from './sql-limits.ts'

/** `quoted` names stand in double quotes or backticks: they are names whatever they say. */
export type TokenKind = 'name' | 'quoted' | 'number' | 'text' | 'symbol' | 'end'

export interface Token {
  readonly kind: TokenKind
  /** Of names and texts what they mean, without quotes and escapes; else as it stands. */
  readonly value: string
  readonly start: number
  readonly end: number
}

const SPACE = /(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/y
/** Names may hold `$`, as those of events and properties do. */
const NAME = /[A-Za-z_$\u0080-\uFFFF][\w$\u0080-\uFFFF]*/y
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y
const SYMBOL = /->|<=|>=|<>|!=|==|\|\||[-+*/%=<>(),.[\]]/y
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', b: '\b' }

/**
 * Splits a text into tokens; comments and space are left out.
 *
 * @throws SqlFault for what is no token, a quote that does not end, and a text past its limits
 */
export function sqlTokens(text: string): Token[] {
  if (text.length > SQL_LIMITS.length)
    throw new SqlFault(`A query may have at most ${SQL_LIMITS.length} characters.`, { start: 0, end: 0 })
  const tokens: Token[] = []
  let at = 0
  for (;;) {
    at = skip(SPACE, text, at)
    if (tokens.length > SQL_LIMITS.tokens)
      throw new SqlFault(`A query may have at most ${SQL_LIMITS.tokens} words and signs.`, {
        start: at,
        end: at,
      })
    if (at >= text.length) break
    const token = tokenAt(text, at)
    tokens.push(token)
    at = token.end
  }
  tokens.push({ kind: 'end', value: '', start: text.length, end: text.length })
  return tokens
}

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

function tokenAt(text: string, start: number): Token {
  const first = text[start] as string
  if (first === "'") return { kind: 'text', ...quotedAt(text, start) }
  if (first === '"' || first === '`') return { kind: 'quoted', ...quotedAt(text, start) }
  for (const [kind, pattern] of [
    ['number', NUMBER],
    ['name', NAME],
    ['symbol', SYMBOL],
  ] as const) {
    const end = skip(pattern, text, start)
    if (end > start) return { kind, value: text.slice(start, end), start, end }
  }
  throw new SqlFault(`"${first}" means nothing here.`, { start, end: start + 1 })
}

/** A quote within quotes is doubled or stands after a backslash, as in ClickHouse. */
function quotedAt(text: string, start: number): Omit<Token, 'kind'> {
  const quote = text[start] as string
  let value = ''
  for (let at = start + 1; at < text.length; at++) {
    const character = text[at] as string
    if (character === '\\') {
      const next = text[++at]
      if (next !== undefined) value += ESCAPES[next] ?? (/['"`\\]/.test(next) ? next : `\\${next}`)
    } else if (character !== quote) value += character
    else if (text[at + 1] === quote) value += text[++at]
    else return { value, start, end: at + 1 }
  }
  throw new SqlFault('This quote does not end.', { start, end: text.length })
}
