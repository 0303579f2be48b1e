import type { Ask } from '../query/ask.ts'
import type { Question } from '../query/question.ts'
import type { Breakdown } from './breakdown.ts'
import { type BreakdownValues, binEdgesSql, breakdownValuesSql } from './breakdown-sql.ts'
import type { Entity, Frame } from './frame.ts'

/** Which values of a breakdown get lines of their own: the most frequent ones, bins, or the cohorts that were named. */
export async function breakdownValuesOf(
  ask: Ask,
  question: Question,
  frame: Frame,
  breakdown: Breakdown,
  entities: readonly Entity[],
): Promise<BreakdownValues> {
  if (breakdown.by === 'cohorts') return { values: breakdown.ids.map(String), edges: null }
  const { limit, binCount } = breakdown
  if (binCount === null) {
    const found = await ask<{ value: string }>(question, (bindings) =>
      breakdownValuesSql(breakdown, limit, entities, frame, bindings),
    )
    return { values: found.map(({ value }) => value), edges: null }
  }
  const [bins] = await ask<{ edges: number[]; amount: number }>(question, (bindings) =>
    binEdgesSql(breakdown, binCount, entities, frame, bindings),
  )
  if (bins === undefined || Number(bins.amount) === 0) return { values: [], edges: [] }
  const edges = bins.edges.length === 1 ? [...bins.edges, ...bins.edges] : bins.edges
  return { values: edges.slice(0, -1).map((from, index) => `[${from},${edges[index + 1]}]`), edges }
}
