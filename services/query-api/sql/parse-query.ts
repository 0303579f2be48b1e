import { readExpression, readOrdering } from './parse-expression.ts'
import {
  type From,
  type Item,
  JOINS,
  type Join,
  type Ordering,
  type Query,
  type Select,
  type Source,
} from './syntax.ts'
import { TokenReader } from './token-reader.ts'

/** @throws SqlFault */
export function parseQuery(text: string): Query {
  return whole(text, readQuery)
}

/** An expression that stands for itself, with an alias where it has one. @throws SqlFault */
export function parseItem(text: string): Item {
  return whole(text, readItem)
}

/** An expression with its direction. @throws SqlFault */
export function parseOrdering(text: string): Ordering {
  return whole(text, (tokens) => readOrdering(tokens, readQuery))
}

function whole<T>(text: string, read: (tokens: TokenReader) => T): T {
  const tokens = new TokenReader(text)
  const result = read(tokens)
  if (tokens.next.kind !== 'end') throw tokens.unexpected('the end')
  return result
}

function readQuery(tokens: TokenReader): Query {
  return tokens.deeper(() => {
    const { start } = tokens.next
    const within = tokens.takesWord('WITH') ? tokens.list(() => readNamedQuery(tokens)) : []
    const selects: [Select, ...Select[]] = [readSelect(tokens)]
    while (tokens.takesWord('UNION')) {
      tokens.expectWord('ALL')
      selects.push(readSelect(tokens))
    }
    return { with: within, selects, ...tokens.since(start) }
  })
}

function readNamedQuery(tokens: TokenReader): Query['with'][number] {
  const { start } = tokens.next
  const name = tokens.name('a name')
  tokens.expectWord('AS')
  tokens.expectSymbol('(')
  const query = readQuery(tokens)
  tokens.expectSymbol(')')
  return { name, query, ...tokens.since(start) }
}

function readSelect(tokens: TokenReader): Select {
  const { start } = tokens.next
  const expression = () => readExpression(tokens, readQuery)
  const after = (...words: string[]) => {
    const isThere = words.every((word, ahead) => tokens.isWord(word, tokens.peek(ahead)))
    if (isThere) for (const word of words) tokens.expectWord(word)
    return isThere
  }
  tokens.expectWord('SELECT')
  const isDistinct = tokens.takesWord('DISTINCT')
  const items = tokens.list(() => readItem(tokens))
  const from = after('FROM') ? readFrom(tokens) : null
  const where = after('WHERE') ? expression() : null
  const groupBy = after('GROUP', 'BY') ? tokens.list(expression) : []
  const having = after('HAVING') ? expression() : null
  const orderBy = after('ORDER', 'BY') ? tokens.list(() => readOrdering(tokens, readQuery)) : []
  const limit = after('LIMIT') ? expression() : null
  const offset = after('OFFSET') ? expression() : null
  return {
    isDistinct,
    items,
    from,
    where,
    groupBy,
    having,
    orderBy,
    limit,
    offset,
    ...tokens.since(start),
  }
}

function readItem(tokens: TokenReader): Item {
  const { start } = tokens.next
  const expression = readExpression(tokens, readQuery)
  return { expression, alias: tokens.alias(), ...tokens.since(start) }
}

function readFrom(tokens: TokenReader): From {
  const first = readSource(tokens)
  const joins: Join[] = []
  for (;;) {
    const type = readJoinType(tokens)
    if (type === null) return { first, joins }
    const source = readSource(tokens)
    if (type === 'CROSS') {
      joins.push({ type, source, on: null })
      continue
    }
    tokens.expectWord('ON')
    joins.push({ type, source, on: readExpression(tokens, readQuery) })
  }
}

/** Takes the words of a join; null where none begins. */
function readJoinType(tokens: TokenReader): Join['type'] | null {
  if (tokens.takesWord('JOIN')) return 'INNER'
  const type = JOINS.find((each) => tokens.isWord(each))
  if (type === undefined) return null
  tokens.take()
  if (type !== 'INNER' && type !== 'CROSS') tokens.takesWord('OUTER')
  tokens.expectWord('JOIN')
  return type
}

function readSource(tokens: TokenReader): Source {
  const { start } = tokens.next
  if (!tokens.takesSymbol('(')) {
    const name = tokens.name('the name of a table, or a query in brackets')
    return { kind: 'table', name, alias: tokens.alias(), ...tokens.since(start) }
  }
  const query = readQuery(tokens)
  tokens.expectSymbol(')')
  return { kind: 'query', query, alias: tokens.alias(), ...tokens.since(start) }
}
