import { DialectError } from './dialect-error.ts'

export type TokenKind = 'word' | 'quoted_name' | 'string' | 'number' | 'symbol'

/** One token of ClickHouse SQL; white space and comments are left out. */
export interface Token {
  readonly kind: TokenKind
  /** As written. A quoted name or a string stands here without quotes and escapes. */
  readonly text: string
  /** Character positions in the statement, end excluded. */
  readonly start: number
  readonly end: number
}

const WORD = /[A-Za-z_][A-Za-z0-9_$]*/y
const NUMBER = /(?:0[xX][0-9a-fA-F]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?)/y
const HEREDOC = /\$([A-Za-z0-9_]*)\$/y
const SPACE = /[ \t\r\n\f\v]+/y

/**
 * Splits SQL into tokens, lazily: whoever meets the start of an INSERT's inline data stops asking.
 *
 * The tokens decide what a reader may do, so whatever the engine's lexer might see differently is refused and not
 * guessed at: a comment inside a comment, other comment marks than `--` and `/*`, quotes and spaces outside ASCII.
 *
 * @throws DialectError 62 at the first character that cannot be read
 */
export function* sqlTokens(sql: string): Generator<Token> {
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    return pattern.exec(sql)
  }
  while (at < sql.length) {
    const start = at
    const space = match(SPACE)
    if (space) {
      at += space[0].length
      continue
    }
    if (sql.startsWith('--', at)) {
      const end = sql.indexOf('\n', at)
      at = end < 0 ? sql.length : end + 1
      continue
    }
    if (sql.startsWith('/*', at)) {
      const end = sql.indexOf('*/', at + 2)
      if (end < 0) throw unreadable(sql, at, 'a comment that does not end')
      if (sql.slice(at + 2, end).includes('/*')) throw unreadable(sql, at, 'a comment inside a comment')
      at = end + 2
      continue
    }
    const character = sql[at] as string
    if (character === "'" || character === '"' || character === '`') {
      const text = readQuoted(sql, at, character)
      at = text.end
      yield { kind: character === "'" ? 'string' : 'quoted_name', text: text.value, start, end: at }
      continue
    }
    const heredoc = match(HEREDOC)
    if (heredoc) {
      const from = at + heredoc[0].length
      const end = sql.indexOf(heredoc[0], from)
      if (end < 0) throw unreadable(sql, at, 'a $-quoted text that does not end')
      at = end + heredoc[0].length
      yield { kind: 'string', text: sql.slice(from, end), start, end: at }
      continue
    }
    const word = match(WORD)
    if (word) {
      at += word[0].length
      yield { kind: 'word', text: word[0], start, end: at }
      continue
    }
    const number = match(NUMBER)
    if (number) {
      at += number[0].length
      yield { kind: 'number', text: number[0], start, end: at }
      continue
    }
    if (sql.startsWith('//', at) || !/[!%&()*+,\-./:;<=>?@[\]^{|}]/.test(character))
      throw unreadable(sql, at, JSON.stringify(character))
    at += 1
    yield { kind: 'symbol', text: character, start, end: at }
  }
}

function readQuoted(sql: string, start: number, quote: string): { value: string; end: number } {
  let value = ''
  for (let at = start + 1; at < sql.length; at++) {
    const character = sql[at] as string
    if (character === '\\') {
      value += unescaped(sql[at + 1] ?? '')
      at += 1
    } else if (character !== quote) {
      value += character
    } else if (sql[at + 1] === quote) {
      value += quote
      at += 1
    } else {
      return { value, end: at + 1 }
    }
  }
  throw unreadable(sql, start, 'a quoted text that does not end')
}

/** Hex escapes stay as they are written: names are compared, never rebuilt, and an escaped one is refused there. */
function unescaped(character: string): string {
  const control: Record<string, string> = { n: '\n', t: '\t', r: '\r', 0: '\0', b: '\b', f: '\f' }
  return control[character] ?? (character === 'x' ? '\\x' : character)
}

function unreadable(sql: string, at: number, what: string): DialectError {
  return new DialectError(
    62,
    'SYNTAX_ERROR',
    `Syntax error: failed at position ${at + 1} (${sql.slice(at, at + 20)}): found ${what}.`,
  )
}

/** A text as an SQL string literal, whatever it holds. */
export function sqlString(text: string): string {
  const escaped = text.replace(/[\\'\0\b\f\n\r\t]/g, (c) => ESCAPES[c] as string)
  return `'${escaped}'`
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  "'": "\\'",
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

/** A name in back quotes. */
export function sqlName(name: string): string {
  return `\`${sqlString(name).slice(1, -1).replaceAll('`', '\\`')}\``
}
