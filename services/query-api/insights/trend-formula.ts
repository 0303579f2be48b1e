import { invalidInput } from '../http/api-error.ts'

/** Longest formula, characters; brackets cannot be deeper than that either. */
export const FORMULA_LENGTH_MAX = 200

/** A formula over series: `A` is the first one, `B` the second. */
export type Formula =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'series'; readonly index: number }
  | { readonly kind: 'negative'; readonly of: Formula }
  | {
      readonly kind: 'operation'
      readonly operator: Operator
      readonly left: Formula
      readonly right: Formula
    }

type Operator = '+' | '-' | '*' | '/'

const TOKEN = /\s*(\d+(?:\.\d+)?|[A-Za-z]|[-+*/()×÷−])/y
const SYNONYMS: Readonly<Record<string, Operator>> = { '×': '*', '÷': '/', '−': '-' }

/**
 * @param seriesCount series that there are; a letter past them is refused
 * @throws ApiError 400
 */
export function parseFormula(text: string, seriesCount: number): Formula {
  if (text.length > FORMULA_LENGTH_MAX)
    throw invalidInput('formula', `A formula has at most ${FORMULA_LENGTH_MAX} characters.`)
  const tokens = tokensOf(text)
  let at = 0
  const take = (...expected: string[]) => {
    const token = tokens[at]
    if (token === undefined || !expected.includes(token)) return null
    at++
    return token as Operator
  }
  const chain = (operators: string[], operand: () => Formula) => {
    let left = operand()
    for (let operator = take(...operators); operator !== null; operator = take(...operators))
      left = { kind: 'operation', operator, left, right: operand() }
    return left
  }
  const sum = (): Formula => chain(['+', '-'], product)
  const product = (): Formula => chain(['*', '/'], factor)
  const factor = (): Formula => {
    if (take('-') !== null) return { kind: 'negative', of: factor() }
    if (take('(') !== null) {
      const inner = sum()
      if (take(')' as Operator) === null) throw unreadable('a bracket is not closed')
      return inner
    }
    const token = tokens[at++]
    if (token === undefined) throw unreadable('it ends too early')
    if (/^\d/.test(token)) return { kind: 'number', value: Number(token) }
    const index = token.charCodeAt(0) - 'A'.charCodeAt(0)
    if (!/^[A-Z]$/.test(token)) throw unreadable(`${token} is out of place`)
    if (index >= seriesCount) throw unreadable(`there is no series ${token}`)
    return { kind: 'series', index }
  }
  const formula = sum()
  if (at < tokens.length) throw unreadable(`${tokens[at]} is out of place`)
  return formula
}

/**
 * @param values value of every series at one point
 * @returns rounded to 2 places; 0 for what is no finite number, such as a division by zero
 */
export function evaluateFormula(formula: Formula, values: readonly number[]): number {
  const value = exact(formula, values)
  return Number.isFinite(value) ? Math.round(value * 100) / 100 : 0
}

function exact(formula: Formula, values: readonly number[]): number {
  switch (formula.kind) {
    case 'number':
      return formula.value
    case 'series':
      return values[formula.index] ?? 0
    case 'negative':
      return -exact(formula.of, values)
    case 'operation': {
      const left = exact(formula.left, values)
      const right = exact(formula.right, values)
      if (formula.operator === '+') return left + right
      if (formula.operator === '-') return left - right
      return formula.operator === '*' ? left * right : left / right
    }
  }
}

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  const trimmed = text.trimEnd()
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < trimmed.length) {
    const found = TOKEN.exec(trimmed)
    if (found === null)
      throw unreadable('it holds something else than letters, numbers, + - * / and brackets')
    const token = found[1] as string
    tokens.push(SYNONYMS[token] ?? token.toUpperCase())
  }
  return tokens
}

function unreadable(why: string) {
  return invalidInput('formula', `This formula cannot be read: ${why}. Write one like A / (B + 1) * 100.`)
}
