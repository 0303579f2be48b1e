import { SqlFault } from './sql-fault.ts'
import {
  BINARY_OPERATORS,
  type BinaryOperator,
  type Expression,
  type FrameBound,
  INTERVAL_UNITS,
  type IntervalUnit,
  type Ordering,
  type Query,
  type Window,
} from './syntax.ts'
import type { TokenReader } from './token-reader.ts'

/** Reads a query in brackets; handed in, for a query reads expressions. */
export type ReadQuery = (reader: TokenReader) => Query

const [NOT_LEVEL, COMPARISON_LEVEL, UNARY_LEVEL] = [3, 4, 8]

/** @throws SqlFault */
export function readExpression(reader: TokenReader, readQuery: ReadQuery): Expression {
  return new ExpressionReader(reader, readQuery).expression(0)
}

/** @throws SqlFault */
export function readOrdering(reader: TokenReader, readQuery: ReadQuery): Ordering {
  return new ExpressionReader(reader, readQuery).ordering()
}

class ExpressionReader {
  readonly #tokens: TokenReader
  readonly #readQuery: ReadQuery

  constructor(tokens: TokenReader, readQuery: ReadQuery) {
    this.#tokens = tokens
    this.#readQuery = readQuery
  }

  /** Operators bind by their level: those that bind less than `level` are left to whoever called. */
  expression(level: number): Expression {
    return this.#tokens.deeper(() => {
      const { start } = this.#tokens.next
      let left = this.#prefixed()
      for (;;) {
        const next = this.#continued(left, level, start)
        if (next === null) return left
        left = next
      }
    })
  }

  ordering(): Ordering {
    const { start } = this.#tokens.next
    const expression = this.expression(0)
    const isDescending = this.#tokens.takesWord('DESC')
    if (!isDescending) this.#tokens.takesWord('ASC')
    let nulls: Ordering['nulls'] = null
    if (this.#tokens.takesWord('NULLS')) {
      nulls = this.#tokens.takesWord('FIRST') ? 'FIRST' : 'LAST'
      if (nulls === 'LAST') this.#tokens.expectWord('LAST')
    }
    return { expression, isDescending, nulls, ...this.#tokens.since(start) }
  }

  #prefixed(): Expression {
    const tokens = this.#tokens
    const { start } = tokens.next
    if (tokens.takesWord('NOT')) {
      const operand = this.expression(NOT_LEVEL)
      return { kind: 'unary', operator: 'NOT', operand, ...tokens.since(start) }
    }
    if (tokens.takesSymbol('-')) {
      const operand = this.expression(UNARY_LEVEL)
      return { kind: 'unary', operator: '-', operand, ...tokens.since(start) }
    }
    return this.#primary()
  }

  /** `left` with what follows it at this level; null where nothing does. */
  #continued(left: Expression, level: number, start: number): Expression | null {
    const tokens = this.#tokens
    const end = () => tokens.since(start)
    if (tokens.takesSymbol('[')) {
      const index = this.expression(0)
      tokens.expectSymbol(']')
      return { kind: 'index', operand: left, index, ...end() }
    }
    if (level <= COMPARISON_LEVEL) {
      if (tokens.takesWord('IS')) {
        const isNegated = tokens.takesWord('NOT')
        tokens.expectWord('NULL')
        return { kind: 'is_null', isNegated, operand: left, ...end() }
      }
      const isNegated =
        tokens.isWord('NOT') && ['IN', 'BETWEEN'].some((word) => tokens.isWord(word, tokens.peek(1)))
      if (isNegated) tokens.take()
      if (tokens.takesWord('IN'))
        return { kind: 'in', isNegated, operand: left, among: this.#among(), ...end() }
      if (tokens.takesWord('BETWEEN')) {
        const low = this.expression(COMPARISON_LEVEL + 1)
        tokens.expectWord('AND')
        const high = this.expression(COMPARISON_LEVEL + 1)
        return { kind: 'between', isNegated, operand: left, low, high, ...end() }
      }
    }
    const found = this.#operator()
    if (found === null || BINARY_OPERATORS[found.operator] < level) return null
    for (let n = 0; n < found.tokens; n++) tokens.take()
    const right = this.expression(BINARY_OPERATORS[found.operator] + 1)
    return { kind: 'binary', operator: found.operator, left, right, ...end() }
  }

  #operator(): { readonly operator: BinaryOperator; readonly tokens: number } | null {
    const tokens = this.#tokens
    const { kind, value } = tokens.next
    if (kind === 'symbol') {
      const operator = SYNONYMS[value] ?? value
      return operator in BINARY_OPERATORS ? { operator: operator as BinaryOperator, tokens: 1 } : null
    }
    if (kind !== 'name') return null
    const word = value.toUpperCase()
    if (word === 'NOT') {
      const second = tokens.peek(1).value.toUpperCase()
      if (second === 'LIKE' || second === 'ILIKE') return { operator: `NOT ${second}`, tokens: 2 }
    }
    return ['OR', 'AND', 'LIKE', 'ILIKE'].includes(word)
      ? { operator: word as BinaryOperator, tokens: 1 }
      : null
  }

  #among(): readonly Expression[] | Query {
    const tokens = this.#tokens
    tokens.expectSymbol('(')
    const isQuery = tokens.isWord('SELECT') || tokens.isWord('WITH')
    const among = isQuery ? this.#readQuery(tokens) : tokens.list(() => this.expression(0))
    tokens.expectSymbol(')')
    return among
  }

  #primary(): Expression {
    const tokens = this.#tokens
    const token = tokens.next
    const { start } = token
    switch (token.kind) {
      case 'number':
      case 'text':
        tokens.take()
        return { kind: token.kind, value: token.value, start, end: token.end }
      case 'symbol':
        return this.#bracketed()
      case 'name': {
        const word = token.value.toUpperCase()
        if (word === 'TRUE' || word === 'FALSE' || word === 'NULL') {
          tokens.take()
          return { kind: 'constant', value: word, start, end: token.end }
        }
        if (word === 'CASE') return this.#case()
        if (word === 'CAST') return this.#cast()
        if (word === 'INTERVAL') return this.#interval()
        // Words that also begin a join.
        if ((word === 'LEFT' || word === 'RIGHT') && tokens.isSymbol('(', tokens.peek(1)))
          return this.#named()
      }
    }
    return this.#named()
  }

  #bracketed(): Expression {
    const tokens = this.#tokens
    const { start } = tokens.next
    if (tokens.takesSymbol('*')) return { kind: 'star', source: null, ...tokens.since(start) }
    if (tokens.takesSymbol('[')) {
      const items = tokens.isSymbol(']') ? [] : tokens.list(() => this.expression(0))
      tokens.expectSymbol(']')
      return { kind: 'array', items, ...tokens.since(start) }
    }
    if (!tokens.takesSymbol('(')) throw tokens.unexpected('an expression')
    if (tokens.isWord('SELECT') || tokens.isWord('WITH')) {
      const query = this.#readQuery(tokens)
      tokens.expectSymbol(')')
      return { kind: 'subquery', query, ...tokens.since(start) }
    }
    const items = tokens.list(() => this.expression(0))
    tokens.expectSymbol(')')
    if (tokens.takesSymbol('->')) return this.#lambda(items, start)
    if (items.length === 1) return { ...(items[0] as Expression), ...tokens.since(start) }
    return { kind: 'tuple', items, ...tokens.since(start) }
  }

  #lambda(parameters: readonly Expression[], start: number): Expression {
    const names = parameters.map((each) => {
      if (each.kind === 'name' && each.path.length === 1) return each.path[0] as string
      throw new SqlFault('Before "->" stand names of its parameters.', each)
    })
    const body = this.expression(0)
    return { kind: 'lambda', parameters: names, body, ...this.#tokens.since(start) }
  }

  /** A name, a call, `t.*`, or a lambda of one parameter. */
  #named(): Expression {
    const tokens = this.#tokens
    const { start } = tokens.next
    const isCallOfWord = ['LEFT', 'RIGHT', 'ANY'].some((word) => tokens.isWord(word))
    const first = isCallOfWord ? tokens.take().value : tokens.name('an expression')
    if (tokens.isSymbol('(')) return this.#call(first, start)
    const path = [first]
    while (tokens.takesSymbol('.')) {
      if (tokens.takesSymbol('*')) {
        if (path.length > 1)
          throw new SqlFault('Before ".*" stands the name of a table.', tokens.since(start))
        return { kind: 'star', source: first, ...tokens.since(start) }
      }
      const { kind } = tokens.next
      // After a point every word is a name: `properties.order`.
      if (kind !== 'name' && kind !== 'quoted') throw tokens.unexpected('a name')
      path.push(tokens.take().value)
    }
    const name: Expression = { kind: 'name', path, ...tokens.since(start) }
    return tokens.takesSymbol('->') ? this.#lambda([name], start) : name
  }

  #call(name: string, start: number): Expression {
    const tokens = this.#tokens
    let parameters: readonly Expression[] | null = null
    let { args, isDistinct } = this.#arguments()
    if (tokens.isSymbol('(')) {
      parameters = args
      ;({ args, isDistinct } = this.#arguments())
    }
    const over = tokens.takesWord('OVER') ? this.#window() : null
    return { kind: 'call', name, parameters, args, isDistinct, over, ...tokens.since(start) }
  }

  #arguments(): { args: readonly Expression[]; isDistinct: boolean } {
    const tokens = this.#tokens
    tokens.expectSymbol('(')
    const isDistinct = tokens.takesWord('DISTINCT')
    const args = tokens.isSymbol(')') ? [] : tokens.list(() => this.expression(0))
    tokens.expectSymbol(')')
    return { args, isDistinct }
  }

  #window(): Window {
    const tokens = this.#tokens
    tokens.expectSymbol('(')
    let partitionBy: Expression[] = []
    if (tokens.takesWord('PARTITION')) {
      tokens.expectWord('BY')
      partitionBy = tokens.list(() => this.expression(0))
    }
    let orderBy: Ordering[] = []
    if (tokens.takesWord('ORDER')) {
      tokens.expectWord('BY')
      orderBy = tokens.list(() => this.ordering())
    }
    let frame: Window['frame'] = null
    if (tokens.takesWord('ROWS')) {
      tokens.expectWord('BETWEEN')
      const from = this.#frameBound()
      tokens.expectWord('AND')
      frame = { from, to: this.#frameBound() }
    }
    tokens.expectSymbol(')')
    return { partitionBy, orderBy, frame }
  }

  #frameBound(): FrameBound {
    const tokens = this.#tokens
    if (tokens.takesWord('CURRENT')) {
      tokens.expectWord('ROW')
      return { edge: 'CURRENT ROW', rows: null }
    }
    const rows = tokens.takesWord('UNBOUNDED') ? null : this.#primary()
    if (tokens.takesWord('PRECEDING')) return { edge: 'PRECEDING', rows }
    tokens.expectWord('FOLLOWING')
    return { edge: 'FOLLOWING', rows }
  }

  #case(): Expression {
    const tokens = this.#tokens
    const { start } = tokens.take()
    const base = tokens.isWord('WHEN') ? null : this.expression(0)
    const whens: { when: Expression; result: Expression }[] = []
    while (tokens.takesWord('WHEN')) {
      const when = this.expression(0)
      tokens.expectWord('THEN')
      whens.push({ when, result: this.expression(0) })
    }
    if (whens.length === 0) throw tokens.unexpected('WHEN')
    const otherwise = tokens.takesWord('ELSE') ? this.expression(0) : null
    tokens.expectWord('END')
    return { kind: 'case', base, whens, otherwise, ...tokens.since(start) }
  }

  #cast(): Expression {
    const tokens = this.#tokens
    const { start } = tokens.take()
    tokens.expectSymbol('(')
    const operand = this.expression(0)
    tokens.expectWord('AS')
    const type = tokens.name('a type')
    tokens.expectSymbol(')')
    return { kind: 'cast', operand, type, ...tokens.since(start) }
  }

  #interval(): Expression {
    const tokens = this.#tokens
    const { start } = tokens.take()
    const amount = this.#primary()
    const unit = tokens.next.value.toUpperCase().replace(/S$/, '') as IntervalUnit
    if (!INTERVAL_UNITS.includes(unit)) throw tokens.unexpected(`one of ${INTERVAL_UNITS.join(', ')}`)
    tokens.take()
    return { kind: 'interval', amount, unit, ...tokens.since(start) }
  }
}

const SYNONYMS: Readonly<Record<string, BinaryOperator>> = { '<>': '!=', '==': '=' }
