import {
  type Filter,
  type FilterLiteral,
  type FilterPath,
  PLAIN_NAME,
} from '../../services/core/event/filter-expression.ts'

/** The filter as text; reading it again gives the same tree. */
export function printFilter(filter: Filter): string {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.terms.map(printTerm).join(` ${filter.kind} `)
    case 'not':
      return printNot(filter.term)
    case 'compare':
      return `${printPath(filter.path)} ${filter.operator} ${printLiteral(filter.value)}`
    case 'in':
    case 'match':
    case 'null':
      return printWordCondition(filter, '')
  }
}

/** `and` and `or` keep their parentheses inside one another, whether or not precedence asks for them. */
function printTerm(filter: Filter): string {
  return filter.kind === 'and' || filter.kind === 'or' ? `(${printFilter(filter)})` : printFilter(filter)
}

function printNot(term: Filter): string {
  if (term.kind === 'in' || term.kind === 'match' || term.kind === 'null')
    return printWordCondition(term, 'not ')
  return `not ${printTerm(term)}`
}

function printWordCondition(filter: Filter & { kind: 'in' | 'match' | 'null' }, not: string): string {
  const path = printPath(filter.path)
  if (filter.kind === 'null') return `${path} is ${not}null`
  if (filter.kind === 'in') return `${path} ${not}in (${filter.values.map(printLiteral).join(', ')})`
  return `${path} ${not}${filter.operator} ${printLiteral(filter.value)}`
}

function printPath([column, ...members]: FilterPath): string {
  return (
    column + members.map((name) => (PLAIN_NAME.test(name) ? `.${name}` : `[${printText(name)}]`)).join('')
  )
}

function printLiteral(value: FilterLiteral): string {
  return typeof value === 'string' ? printText(value) : String(value)
}

function printText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
