import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import type { Field } from '../../../schemas/field.ts'
import { suggestion } from '../control/nearest-name.ts'
import {
  COMPARE_OPERATORS,
  type CompareOperator,
  FILTER_LIMITS,
  type Filter,
  FilterError,
  type FilterLiteral,
  type FilterPath,
  KEYWORDS,
  type MatchOperator,
} from './filter-expression.ts'
import { filterTokens, type Token } from './filter-tokens.ts'

/**
 * Reads a filter over the given columns. Types are checked where they are known: everywhere but inside `json`
 * columns.
 *
 *     filter    = all { "or" all }
 *     all       = one { "and" one }
 *     one       = "not" one | "(" filter ")" | condition
 *     condition = path compare literal
 *               | path [ "not" ] "in" "(" literal { "," literal } ")"
 *               | path [ "not" ] ( "contains" | "starts" "with" | "ends" "with" ) literal
 *               | path "is" [ "not" ] "null"
 *     path      = column { "." name | "[" text "]" }
 *
 * @throws FilterError with the place
 */
export function parseFilter(text: string, fields: readonly Field[]): Filter {
  return parserOf(text, fields).filter()
}

/** A value's name: a column, or a member inside a json column. */
export interface EventPath {
  readonly path: FilterPath
  /** Null inside a json column, where a value's type is known only when the event comes. */
  readonly field: Field | null
}

/**
 * Reads the name of a value of an enriched event, as masks and record keys give it: `path` of the grammar above.
 *
 * @throws FilterError with the place
 */
export function parseEventPath(text: string): EventPath {
  return parserOf(text, ENRICHED_EVENT_FIELDS).path()
}

function parserOf(text: string, fields: readonly Field[]): { filter(): Filter; path(): EventPath } {
  const tokens = filterTokens(text)
  let next = 0
  const peek = () => tokens[next]!
  const fail = (message: string, token: Token = peek()): never => {
    throw new FilterError(text, { message, position: token.at })
  }
  const isWord = (token: Token, word: string) => token.kind === 'word' && token.text.toLowerCase() === word
  const isSymbol = (token: Token, symbol: string) => token.kind === 'symbol' && token.text === symbol
  const acceptWord = (word: string) => isWord(peek(), word) && ++next > 0
  const acceptSymbol = (symbol: string) => isSymbol(peek(), symbol) && ++next > 0
  const expectWord = (word: string, after: string) => {
    if (!acceptWord(word)) fail(`"${word}" is missing after "${after}"`)
  }

  function chain(kind: 'and' | 'or', term: () => Filter): Filter {
    const terms = [term()]
    while (acceptWord(kind)) terms.push(term())
    return terms.length === 1 ? terms[0]! : { kind, terms }
  }
  const any = (depth: number): Filter => chain('or', () => chain('and', () => one(depth)))

  function one(depth: number): Filter {
    const token = peek()
    if (depth > FILTER_LIMITS.depth)
      fail(`parentheses and "not" go at most ${FILTER_LIMITS.depth} levels deep`)
    if (acceptWord('not')) return { kind: 'not', term: one(depth + 1) }
    if (!acceptSymbol('(')) return condition()
    const inner = any(depth + 1)
    if (!acceptSymbol(')')) fail(`")" is missing for the "(" at character ${token.at + 1}`)
    return inner
  }

  function condition(): Filter {
    const { path, field } = parsePath()
    const operator = peek()
    if (acceptWord('is')) {
      const negated = acceptWord('not')
      expectWord('null', negated ? 'is not' : 'is')
      return negatedIf(negated, { kind: 'null', path })
    }
    const comparison = COMPARE_OPERATORS.find((symbol) => isSymbol(operator, symbol))
    if (comparison !== undefined) {
      next++
      return { kind: 'compare', path, operator: comparison, value: comparable(field, operator, comparison) }
    }
    const negated = acceptWord('not')
    const word = peek()
    if (acceptWord('in')) return negatedIf(negated, { kind: 'in', path, values: list(field, word) })
    const match = acceptMatch()
    if (match !== null)
      return negatedIf(negated, {
        kind: 'match',
        path,
        operator: match,
        value: matchable(field, word, match),
      })
    if (negated) return fail('"in", "contains", "starts with" or "ends with" is missing after "not"')
    const hint = field?.type === 'boolean' ? ', for example "= true"' : ''
    return fail(`an operator is missing after ${path.join('.')}${hint}`, operator)
  }

  function acceptMatch(): MatchOperator | null {
    if (acceptWord('contains')) return 'contains'
    for (const word of ['starts', 'ends'] as const) {
      if (!acceptWord(word)) continue
      expectWord('with', word)
      return `${word} with`
    }
    return null
  }

  function parsePath(): EventPath {
    const token = peek()
    const column = token.text
    if (token.kind === 'end') fail(next === 0 ? 'there is nothing here' : 'a condition is missing at the end')
    if (token.kind !== 'word' || KEYWORDS.has(column.toLowerCase()))
      fail('a condition begins with the name of a column')
    const field =
      fields.find((candidate) => candidate.name === column) ??
      fail(
        `there is no column "${column}"${suggestion(
          column,
          fields.map((f) => f.name),
        )}`,
      )
    next++
    const path: [string, ...string[]] = [column]
    for (;;) {
      const at = peek()
      if (acceptSymbol('.')) {
        if (peek().kind !== 'word') fail('a name is missing after "."; odd names are written [\'like this\']')
        path.push(tokens[next++]!.text)
      } else if (acceptSymbol('[')) {
        if (peek().kind !== 'text') fail('a quoted name is missing after "["')
        path.push(tokens[next++]!.text)
        if (!acceptSymbol(']')) fail('"]" is missing')
      } else break
      if (field.type !== 'json') fail(`${column} is ${typeName(field)} and has no members`, at)
      if (path.length > FILTER_LIMITS.pathSegments)
        fail(`a path has at most ${FILTER_LIMITS.pathSegments} names`, at)
    }
    return { path, field: path.length === 1 ? field : null }
  }

  function literal(after: string): FilterLiteral {
    const token = peek()
    next++
    if (token.kind === 'text') return token.text
    if (token.kind === 'number') return token.number
    if (isWord(token, 'true') || isWord(token, 'false')) return isWord(token, 'true')
    next--
    if (isWord(token, 'null')) return fail('null is compared with "is null" or "is not null"')
    return fail(
      token.kind === 'word'
        ? `a value is missing after "${after}"; is ${token.text} a text without quotes?`
        : `a value is missing after "${after}"`,
    )
  }

  function comparable(field: Field | null, operator: Token, symbol: CompareOperator | 'in'): FilterLiteral {
    const token = peek()
    const value = literal(symbol)
    if (typeof value === 'boolean' && symbol !== '=' && symbol !== '!=' && symbol !== 'in')
      fail(`true and false have no order, so "${symbol}" cannot compare them`, operator)
    if (field === null) return value
    if (field.type === 'json' || field.type === 'text_list')
      fail(`${field.name} is ${typeName(field)}; "${symbol}" compares single values`, operator)
    if (typeof value !== LITERAL_TYPES[field.type])
      fail(`${field.name} is ${typeName(field)}, but the value is a ${literalName(value)}`, token)
    if (field.type === 'timestamp' && !TIMESTAMP_PREFIX.test(String(value)))
      fail(`${field.name} is a timestamp: write it like '2026-01-31' or '2026-01-31T23:59:59.123Z'`, token)
    return value
  }

  function matchable(field: Field | null, operator: Token, match: MatchOperator): FilterLiteral {
    const token = peek()
    const value = literal(match)
    if (match !== 'contains' || field !== null) {
      if (typeof value !== 'string') fail(`"${match}" looks for a text, in quotes`, token)
      if (value === '') fail(`"${match}" needs at least one character`, token)
    }
    const list = field?.type === 'text_list' && match === 'contains'
    if (field !== null && field.type !== 'text' && !list)
      fail(`${field.name} is ${typeName(field)}; "${match}" looks into texts`, operator)
    return value
  }

  function list(field: Field | null, operator: Token): readonly FilterLiteral[] {
    if (!acceptSymbol('(')) fail('"(" is missing after "in"')
    const values: FilterLiteral[] = []
    do {
      if (values.length === FILTER_LIMITS.listItems)
        fail(`a list has at most ${FILTER_LIMITS.listItems} values`)
      values.push(comparable(field, operator, 'in'))
    } while (acceptSymbol(','))
    if (!acceptSymbol(')')) fail('"," or ")" is missing in the list')
    return values
  }

  return {
    filter() {
      const filter = any(1)
      if (peek().kind !== 'end') fail(leftover(peek()))
      return filter
    },
    path() {
      const path = parsePath()
      if (peek().kind !== 'end') fail('the name of one value ends here')
      return path
    },
  }
}

const LITERAL_TYPES: Readonly<Record<string, string>> = {
  text: 'string',
  timestamp: 'string',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
}

const TIMESTAMP_PREFIX = /^[0-9]{4}-[0-9]{2}(-[0-9]{2}(T[0-9:.]{2,12}Z?)?)?$/

const negatedIf = (negated: boolean, term: Filter): Filter => (negated ? { kind: 'not', term } : term)

const typeName = (field: Field): string =>
  ({
    text: 'a text',
    timestamp: 'a timestamp',
    integer: 'a number',
    number: 'a number',
    boolean: 'true or false',
    text_list: 'a list of texts',
    json: 'an object',
  })[field.type]

const literalName = (value: FilterLiteral): string => (typeof value === 'string' ? 'text' : typeof value)

function leftover(token: Token): string {
  if (token.kind === 'symbol' && token.text === ')') return 'this ")" closes nothing'
  if (token.kind === 'symbol' && token.text === '=') return 'one "=" is enough'
  return '"and" or "or" is missing before this'
}
