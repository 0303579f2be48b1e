import { invalidExpressions } from '../query/invalid-patterns.ts'
import type { Question } from '../query/question.ts'
import { type Frame, frameOf, type InsightNeeds } from './frame.ts'
import { funnelOf } from './funnel.ts'
import type { PathRequest } from './path-request.ts'
import {
  type EdgeRecord,
  namedPathEdgesSql,
  pathEdgesSql,
  type StopName,
  stopNamesSql,
  TIES_MAX,
} from './path-sql.ts'
import type { Paths } from './path-stops-sql.ts'
import { scaledUp } from './sampling.ts'

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
  const { dateFrom, dateTo, groupTypeIndex, samplingFactor } = request
  // People of the funnel are looked for where the paths are.
  const around = await funnelOf(needs, question, {
    ...asked,
    dateFrom,
    dateTo,
    groupTypeIndex,
    samplingFactor,
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
  return linked(await heaviestEdges(needs, question, frame, paths))
}

/** As many as asked for, of equal ones those that come first by name. Names are read of these alone where that is enough. */
async function heaviestEdges(
  needs: InsightNeeds,
  question: Question,
  frame: Frame,
  paths: Paths,
): Promise<PathEdge[]> {
  const { edgeLimit } = paths
  const found = await needs.ask<EdgeRecord>(question, (bindings) => pathEdgesSql(frame, paths, bindings))
  const least = found[edgeLimit - 1]?.value ?? 0
  // More are as heavy as the last one than were read: which of them come first is for the statement to say.
  if (found.length === edgeLimit + TIES_MAX && found.at(-1)?.value === least)
    return (
      await needs.ask<EdgeRecord>(question, (bindings) => namedPathEdgesSql(frame, paths, bindings))
    ).map((edge) => edgeOf(edge, paths))
  const edges = found.filter(({ value }) => Number(value) >= Number(least))
  const names = await namesOf(edges, needs, question, frame, paths)
  return edges
    .flatMap((edge) => {
      const [source, target] = [names.get(edge.source), names.get(edge.target)]
      // Nothing is called so any more when its events were deleted in between.
      return source === undefined || target === undefined ? [] : [edgeOf({ ...edge, source, target }, paths)]
    })
    .sort((a, b) => b.value - a.value || inBytes(a.source, b.source) || inBytes(a.target, b.target))
    .slice(0, edgeLimit)
}

/** What the stops of these edges are called. */
async function namesOf(
  edges: readonly EdgeRecord[],
  { ask }: InsightNeeds,
  question: Question,
  frame: Frame,
  paths: Paths,
): Promise<ReadonlyMap<string, string>> {
  if (edges.length === 0) return new Map()
  const stops = [...new Set(edges.flatMap(({ source, target }) => [source, target]))]
  const seenByMs = Math.max(...edges.map(({ first_ms }) => Number(first_ms)))
  const records = await ask<StopName>(question, (bindings) =>
    stopNamesSql(frame, paths, stops, seenByMs, bindings),
  )
  return new Map(records.map(({ stop, name }) => [stop, name]))
}

function edgeOf({ n, source, target, value, average_ms }: EdgeRecord, paths: Paths): PathEdge {
  return {
    source: `${n}_${source}`,
    target: `${n + 1}_${target}`,
    value: scaledUp(Number(value), paths),
    average_conversion_time: average_ms,
  }
}

/** As ClickHouse orders texts. */
function inBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** Those edges that a way leads to from a first stop over others of them. */
export function linked(edges: readonly PathEdge[]): PathEdge[] {
  const reached = new Set<string>()
  const stepOf = (key: string) => Number(key.slice(0, key.indexOf('_')))
  for (const { source, target } of [...edges].sort((a, b) => stepOf(a.source) - stepOf(b.source)))
    if (stepOf(source) === 1 || reached.has(source)) reached.add(target)
  return edges.filter(({ source }) => stepOf(source) === 1 || reached.has(source))
}
