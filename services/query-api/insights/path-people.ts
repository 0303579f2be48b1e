import { invalidInput } from '../http/api-error.ts'
import { textDeclared } from '../http/parameter-declarations.ts'
import { type RawQuery, textParameter } from '../http/request-parameters.ts'
import type { Question } from '../query/question.ts'
import type { BehindNumber } from './activity-people.ts'
import { type InsightNeeds, startsOf } from './frame.ts'
import { timeBinSql } from './funnel-answers-sql.ts'
import type { TimeBins } from './funnel-rows.ts'
import { OTHER_SLOT, OWN_SLOT } from './funnel-sql.ts'
import { readPathRequest } from './path-request.ts'
import { pathRowsSql } from './path-sql.ts'
import { stopSql } from './path-stops-sql.ts'
import { pathsOf } from './paths.ts'
import {
  BIN_PARAMETER,
  LINE_PARAMETERS,
  PAGE_PARAMETERS,
  readBin,
  readLine,
  readPoint,
  requireLine,
} from './people-request.ts'
import { timingBins, timingOf, timingRecordsOf } from './timing.ts'
import { readTimingRequest } from './timing-request.ts'
import { timingPairsSql } from './timing-sql.ts'

export const PATH_PEOPLE_PARAMETERS = {
  path_start_key: textDeclared('A stop that they went on from, as edges name it: `1_/home`.'),
  path_end_key: textDeclared('A stop that they came to.'),
  path_dropoff_key: textDeclared('The stop that their path ended at.'),
  ...PAGE_PARAMETERS,
}

/**
 * Those who went along an edge (`path_start_key` and `path_end_key`), on from a stop, to a stop, or whose path ended
 * at one (`path_dropoff_key`). Amounts are paths, so those of an edge add up to its value.
 */
export async function pathPeople(
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
): Promise<BehindNumber> {
  const request = readPathRequest(query, PATH_PEOPLE_PARAMETERS)
  const start = readKey(query, 'path_start_key')
  const end = readKey(query, 'path_end_key')
  const last = readKey(query, 'path_dropoff_key')
  if (start !== null && end !== null && end.step !== start.step + 1)
    throw invalidInput('path_end_key', 'An edge leads from a step to the next one.')
  const { frame, paths } = await pathsOf(needs, question, request)
  return {
    sql: (bindings) => {
      const conditions: string[] = []
      const isAt = (key: PathKey) =>
        `stops[${bindings.bind(key.step, 'Int64')}] = ${stopSql(bindings.bind(key.item, 'String'))}`
      if (start !== null)
        conditions.push(`length(stops) > ${bindings.bind(start.step, 'Int64')} AND ${isAt(start)}`)
      if (end !== null)
        conditions.push(`length(stops) >= ${bindings.bind(end.step, 'Int64')} AND ${isAt(end)}`)
      if (last !== null)
        conditions.push(`length(stops) = ${bindings.bind(last.step, 'Int64')} AND ${isAt(last)}`)
      const where = conditions.length === 0 ? '1' : conditions.join(' AND ')
      return `SELECT actor, count() AS amount FROM (${pathRowsSql(frame, paths, bindings)}) WHERE ${where} GROUP BY actor`
    },
    groupTypeIndex: request.groupTypeIndex,
  }
}

interface PathKey {
  readonly step: number
  readonly item: string
}

/** `2_/b`: the second stop of a path is /b. */
function readKey(query: RawQuery, name: string): PathKey | null {
  const text = textParameter(query, name, Number.POSITIVE_INFINITY)
  if (text === null) return null
  const found = /^([1-9]\d?)_(.*)$/s.exec(text)
  if (found === null) throw invalidInput(name, `${name} is a stop as edges name them, e.g. 1_/home.`)
  return { step: Number(found[1]), item: found[2] as string }
}

export const TIMING_PEOPLE_PARAMETERS = {
  point: textDeclared('Start of an interval; the whole range when left out.'),
  bin_start: BIN_PARAMETER,
  ...LINE_PARAMETERS,
  ...PAGE_PARAMETERS,
}

/** Those who have pairs of the two events, with how many; with `bin_start` pairs whose time lies in that bin. */
export async function timingPeople(
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
): Promise<BehindNumber> {
  const request = readTimingRequest(query, TIMING_PEOPLE_PARAMETERS)
  const line = readLine(query, request.breakdown)
  const { frame, timing } = await timingOf(needs, question, request)
  requireLine(line, timing.breakdown?.values ?? null)
  const startsMs = startsOf(frame, request.interval)
  const point = readPoint(query, 'point', startsMs, frame.zone)
  const slot = line === null ? '' : line.isOther ? OTHER_SLOT : OWN_SLOT + line.value
  const binsAsked = async () => {
    if (textParameter(query, 'bin_start') === null) return null
    const records = await timingRecordsOf(needs, question, { frame, timing }, startsMs)
    const own = records.find((record) => record.slot === slot && record.start_ms === null)
    const bins = own === undefined ? null : timingBins(own, request)
    return { place: readBin(query, bins), ...(bins as TimeBins) }
  }
  const bins = await binsAsked()
  return {
    sql: (bindings) => {
      const conditions = [`slot = ${bindings.bind(slot, 'String')}`]
      if (point !== null)
        conditions.push(
          `from_ms >= ${bindings.bind(startsMs[point] as number, 'Int64')} AND ` +
            `from_ms < ${bindings.bind(startsMs[point + 1] ?? frame.toMs, 'Int64')}`,
        )
      if (bins !== null) conditions.push(`${timeBinSql(bins, bindings)} = ${bins.place}`)
      const pairs = timingPairsSql(frame, timing, bindings)
      return `SELECT actor, count() AS amount FROM (${pairs}) WHERE ${conditions.join(' AND ')} GROUP BY actor`
    },
    groupTypeIndex: request.groupTypeIndex,
  }
}
