import { invalidExpressions } from '../query/invalid-patterns.ts'
import type { Question } from '../query/question.ts'
import { type Frame, frameOf, type InsightNeeds } from './frame.ts'
import { funnelOf } from './funnel.ts'
import type { PathRequest } from './path-request.ts'
import { type EdgeRecord, type Paths, pathEdgesSql } from './path-sql.ts'

export interface PathEdge {
  /** `1_/a`: the stop and its number in the path. */
  readonly source: string
  readonly target: string
  /** Paths that have this edge. */
  readonly value: number
  /** Milliseconds. */
  readonly average_conversion_time: number
}

/** Looks up what a question about paths refers to. */
export async function pathsOf(
  needs: InsightNeeds,
  question: Question,
  request: PathRequest,
): Promise<{ readonly frame: Frame; readonly paths: Paths }> {
  const { frame } = await frameOf(needs, question, request, { entities: [] })
  const patterns = request.replacements.map(({ regex }) => regex)
  const invalidPatterns = await invalidExpressions(needs.ask, question, patterns)
  if (request.around === null) return { frame, paths: { ...request, around: null, invalidPatterns } }
  const { side, step, funnel: asked } = request.around
  const { dateFrom, dateTo, groupTypeIndex } = request
  // People of the funnel are looked for where the paths are.
  const around = await funnelOf(needs, question, {
    ...asked,
    dateFrom,
    dateTo,
    groupTypeIndex,
    breakdown: null,
  })
  return { frame, paths: { ...request, around: { side, step, ...around }, invalidPatterns } }
}

/** The ways that people went: edges from stop to stop, the heaviest first, as far as they hang together. */
export async function paths(
  needs: InsightNeeds,
  question: Question,
  request: PathRequest,
): Promise<PathEdge[]> {
  const { frame, paths } = await pathsOf(needs, question, request)
  const records = await needs.ask<EdgeRecord>(question, (bindings) => pathEdgesSql(frame, paths, bindings))
  return linked(
    records.map(({ source, target, value, average_ms }) => ({
      source,
      target,
      value: Number(value),
      average_conversion_time: average_ms,
    })),
  )
}

/** Those edges that a way leads to from a first stop over others of them. */
export function linked(edges: readonly PathEdge[]): PathEdge[] {
  const reached = new Set<string>()
  const stepOf = (key: string) => Number(key.slice(0, key.indexOf('_')))
  for (const { source, target } of [...edges].sort((a, b) => stepOf(a.source) - stepOf(b.source)))
    if (stepOf(source) === 1 || reached.has(source)) reached.add(target)
  return edges.filter(({ source }) => stepOf(source) === 1 || reached.has(source))
}
