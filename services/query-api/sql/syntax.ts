import type { Place } from './sql-fault.ts'

/** What the query language can say, as a tree. Every node knows where it stands. */
export type Expression = Place &
  (
    | { readonly kind: 'text'; readonly value: string }
    /** As it is written: digits, with a point or an exponent where it has one. */
    | { readonly kind: 'number'; readonly value: string }
    | { readonly kind: 'constant'; readonly value: 'TRUE' | 'FALSE' | 'NULL' }
    /** `a`, `t.a`, `properties.a.b`. */
    | { readonly kind: 'name'; readonly path: readonly string[] }
    /** `*`, or `t.*`. */
    | { readonly kind: 'star'; readonly source: string | null }
    | Call
    | { readonly kind: 'unary'; readonly operator: '-' | 'NOT'; readonly operand: Expression }
    | {
        readonly kind: 'binary'
        readonly operator: BinaryOperator
        readonly left: Expression
        readonly right: Expression
      }
    | {
        readonly kind: 'in'
        readonly isNegated: boolean
        readonly operand: Expression
        readonly among: readonly Expression[] | Query
      }
    | {
        readonly kind: 'between'
        readonly isNegated: boolean
        readonly operand: Expression
        readonly low: Expression
        readonly high: Expression
      }
    | { readonly kind: 'is_null'; readonly isNegated: boolean; readonly operand: Expression }
    | {
        readonly kind: 'case'
        readonly base: Expression | null
        readonly whens: readonly { readonly when: Expression; readonly result: Expression }[]
        readonly otherwise: Expression | null
      }
    | { readonly kind: 'cast'; readonly operand: Expression; readonly type: string }
    | { readonly kind: 'interval'; readonly amount: Expression; readonly unit: IntervalUnit }
    | { readonly kind: 'tuple' | 'array'; readonly items: readonly Expression[] }
    | { readonly kind: 'index'; readonly operand: Expression; readonly index: Expression }
    | { readonly kind: 'lambda'; readonly parameters: readonly string[]; readonly body: Expression }
    | { readonly kind: 'subquery'; readonly query: Query }
  )

export interface Call extends Place {
  readonly kind: 'call'
  readonly name: string
  /** Of `quantile(0.9)(x)` those in the first brackets; null where there is one pair. */
  readonly parameters: readonly Expression[] | null
  readonly args: readonly Expression[]
  readonly isDistinct: boolean
  readonly over: Window | null
}

export interface Window {
  readonly partitionBy: readonly Expression[]
  readonly orderBy: readonly Ordering[]
  readonly frame: { readonly from: FrameBound; readonly to: FrameBound } | null
}

/** Rows before (negative) or after; the words stand for the ends of the partition and the row itself. */
export interface FrameBound {
  readonly edge: 'PRECEDING' | 'FOLLOWING' | 'CURRENT ROW'
  /** Null for UNBOUNDED. */
  readonly rows: Expression | null
}

export const BINARY_OPERATORS = {
  OR: 1,
  AND: 2,
  '=': 4,
  '!=': 4,
  '<': 4,
  '<=': 4,
  '>': 4,
  '>=': 4,
  LIKE: 4,
  ILIKE: 4,
  'NOT LIKE': 4,
  'NOT ILIKE': 4,
  '||': 5,
  '+': 6,
  '-': 6,
  '*': 7,
  '/': 7,
  '%': 7,
} as const
export type BinaryOperator = keyof typeof BINARY_OPERATORS

export const INTERVAL_UNITS = ['SECOND', 'MINUTE', 'HOUR', 'DAY', 'WEEK', 'MONTH', 'QUARTER', 'YEAR'] as const
export type IntervalUnit = (typeof INTERVAL_UNITS)[number]

export interface Ordering extends Place {
  readonly expression: Expression
  readonly isDescending: boolean
  readonly nulls: 'FIRST' | 'LAST' | null
}

export interface Item extends Place {
  readonly expression: Expression
  readonly alias: string | null
}

export interface Query extends Place {
  readonly with: readonly (Place & { readonly name: string; readonly query: Query })[]
  /** One, or several that UNION ALL puts together. */
  readonly selects: readonly [Select, ...Select[]]
}

export interface Select extends Place {
  readonly isDistinct: boolean
  readonly items: readonly Item[]
  readonly from: From | null
  readonly where: Expression | null
  readonly groupBy: readonly Expression[]
  readonly having: Expression | null
  readonly orderBy: readonly Ordering[]
  readonly limit: Expression | null
  readonly offset: Expression | null
}

export interface From {
  readonly first: Source
  readonly joins: readonly Join[]
}

export const JOINS = ['INNER', 'LEFT', 'RIGHT', 'FULL', 'CROSS'] as const

export interface Join {
  readonly type: (typeof JOINS)[number]
  readonly source: Source
  /** Null for CROSS. */
  readonly on: Expression | null
}

export type Source = Place & { readonly alias: string | null } & (
    | { readonly kind: 'table'; readonly name: string }
    | { readonly kind: 'query'; readonly query: Query }
  )
