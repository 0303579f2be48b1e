import type { BreakdownValues } from './breakdown-sql.ts'
import { evaluateFormula, type Formula } from './trend-formula.ts'
import type { TrendRecord } from './trend-sql.ts'

/** The numbers of one series and one value of the breakdown, a number per point. */
export interface TrendLine {
  /** Empty without a breakdown, and for the values past the limit. */
  readonly value: string
  readonly isOther: boolean
  readonly data: readonly number[]
}

/**
 * Lines with a zero for every point at which nothing happened. A line for every value that has one of its own, in
 * their order, and at the end one for all others if there are any.
 *
 * @param values null without a breakdown
 */
export function trendLines(
  startsMs: readonly number[],
  records: readonly TrendRecord[],
  values: BreakdownValues | null,
): TrendLine[] {
  const indexOf = new Map(startsMs.map((ms, index) => [ms, index]))
  const zeros = () => startsMs.map(() => 0)
  const own = new Map((values?.values ?? ['']).map((value) => [value, zeros()]))
  let other: number[] | null = null
  for (const { start_ms, line, is_other, amount } of records) {
    const index = indexOf.get(Number(start_ms))
    if (index === undefined) throw new Error(`A trend has a row for ${start_ms}, which is no point of it.`)
    if (Number(is_other) === 1) other ??= zeros()
    let data = Number(is_other) === 1 ? other : own.get(line)
    if (data === undefined || data === null) {
      // What is no number is in no bin.
      data = zeros()
      own.set(line, data)
    }
    data[index] = Number(amount)
  }
  const lines = [...own].map(([value, data]) => ({ value, isOther: false, data }))
  return other === null ? lines : [...lines, { value: '', isOther: true, data: other }]
}

/** Lines with nothing in them, and the largest first, whatever order they had; the one of all others stays last. */
export function largestFirst(lines: readonly TrendLine[]): TrendLine[] {
  const total = ({ data }: TrendLine) => data.reduce((sum, amount) => sum + amount, 0)
  return [...lines].sort(
    (a, b) =>
      Number(a.isOther) - Number(b.isOther) ||
      total(b) - total(a) ||
      (a.value < b.value ? -1 : a.value > b.value ? 1 : 0),
  )
}

/** Running sums. */
export function cumulative(data: readonly number[]): number[] {
  let sum = 0
  return data.map((amount) => {
    sum += amount
    return sum
  })
}

/** The mean of every point and the ones before it, `intervals` of them where there are as many. */
export function smoothed(data: readonly number[], intervals: number): number[] {
  return data.map((_, index) => {
    const taken = data.slice(Math.max(0, index + 1 - intervals), index + 1)
    return taken.reduce((sum, amount) => sum + amount, 0) / taken.length
  })
}

/**
 * One line per value of the breakdown that any series has; a series without a line counts 0.
 *
 * @param series lines of every series
 */
export function formulaLines(formula: Formula, series: readonly (readonly TrendLine[])[]): TrendLine[] {
  const keyOf = ({ value, isOther }: TrendLine) => (isOther ? 'other' : `value ${value}`)
  const groups = new Map<string, (TrendLine | undefined)[]>()
  for (const [index, lines] of series.entries()) {
    for (const line of lines) {
      const group = groups.get(keyOf(line)) ?? []
      group[index] = line
      groups.set(keyOf(line), group)
    }
  }
  return [...groups.values()].map((group) => {
    const some = group.find((line) => line !== undefined) as TrendLine
    const data = some.data.map((_, point) =>
      evaluateFormula(
        formula,
        series.map((__, index) => group[index]?.data[point] ?? 0),
      ),
    )
    return { ...some, data }
  })
}
