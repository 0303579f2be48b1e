import { type Place, SqlFault } from './sql-fault.ts'
import { SQL_LIMITS } from './sql-limits.ts'
import { sqlTokens, type Token } from './sql-tokens.ts'

/** Words that cannot be names of tables, columns or aliases unless they are quoted. */
const RESERVED = new Set(
  (
    'SELECT FROM WHERE GROUP HAVING ORDER LIMIT OFFSET UNION WITH AS ON USING JOIN INNER LEFT RIGHT FULL CROSS OUTER ' +
    'AND OR NOT IN BETWEEN IS LIKE ILIKE CASE WHEN THEN ELSE END DISTINCT BY ASC DESC NULLS INTERVAL CAST OVER ALL ' +
    'TRUE FALSE NULL FORMAT SETTINGS INTO PREWHERE SAMPLE FINAL ARRAY ANY ASOF SEMI ANTI GLOBAL WINDOW QUALIFY'
  ).split(' '),
)

/** Tokens one after the other, with a bound on how deep whoever reads them may call itself. */
export class TokenReader {
  readonly #tokens: readonly Token[]
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#tokens = sqlTokens(text)
  }

  get next(): Token {
    return this.#tokens[this.#at] as Token
  }

  peek(ahead: number): Token {
    return this.#tokens[Math.min(this.#at + ahead, this.#tokens.length - 1)] as Token
  }

  take(): Token {
    const token = this.next
    if (token.kind !== 'end') this.#at++
    return token
  }

  /** From a place to the end of what was taken last. */
  since(start: number): Place {
    return { start, end: this.#tokens[Math.max(0, this.#at - 1)]?.end ?? start }
  }

  isWord(word: string, token = this.next): boolean {
    return token.kind === 'name' && token.value.toUpperCase() === word
  }

  isSymbol(symbol: string, token = this.next): boolean {
    return token.kind === 'symbol' && token.value === symbol
  }

  takesWord(word: string): boolean {
    const is = this.isWord(word)
    if (is) this.#at++
    return is
  }

  takesSymbol(symbol: string): boolean {
    const is = this.isSymbol(symbol)
    if (is) this.#at++
    return is
  }

  /** @throws SqlFault where another token stands */
  expectWord(word: string): void {
    if (!this.takesWord(word)) throw this.unexpected(word)
  }

  /** @throws SqlFault where another token stands */
  expectSymbol(symbol: string): void {
    if (!this.takesSymbol(symbol)) throw this.unexpected(`"${symbol}"`)
  }

  isName(token = this.next): boolean {
    return token.kind === 'quoted' || (token.kind === 'name' && !RESERVED.has(token.value.toUpperCase()))
  }

  /** @throws SqlFault for anything but a name */
  name(what: string): string {
    if (!this.isName()) throw this.unexpected(what)
    return this.take().value
  }

  /** `AS name`, or the name alone; null where there is none. */
  alias(): string | null {
    if (this.takesWord('AS')) return this.name('a name')
    return this.isName() ? this.take().value : null
  }

  unexpected(wanted: string): SqlFault {
    const { kind, value, start, end } = this.next
    const found = kind === 'end' ? 'the query ends' : `"${value.slice(0, 40)}" stands`
    return new SqlFault(`Here ${found}, where ${wanted} is expected.`, { start, end })
  }

  /** @throws SqlFault when calls are deeper within each other than they may be */
  deeper<T>(read: () => T): T {
    if (++this.#depth > SQL_LIMITS.depth)
      throw new SqlFault(`This is nested more than ${SQL_LIMITS.depth} levels deep.`, this.next)
    try {
      return read()
    } finally {
      this.#depth--
    }
  }

  /** Reads one thing or several with commas between them. */
  list<T>(read: () => T): T[] {
    const items = [read()]
    while (this.takesSymbol(',')) items.push(read())
    return items
  }
}
