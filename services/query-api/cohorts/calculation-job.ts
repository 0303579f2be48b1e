import type { ControlView } from '../../core/control/control-view.ts'
import type { CohortRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import type { Metrics } from '../../core/runtime/metrics.ts'
import { ApiError } from '../http/api-error.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { apiErrorOf } from '../query/clickhouse-failure.ts'
import { type Question, zoneOf } from '../query/question.ts'
import {
  type CalculationNeeds,
  filledFrom,
  fittingPeople,
  UnfitCriteria,
  writeMembers,
} from './calculate-cohort.ts'
import { cohortsIn, readCriteria } from './cohort-criteria.ts'
import { deleteOldSets } from './old-sets.ts'

/** Cohorts that are looked up at once. */
const TURN_MAX = 100
/** Between two looks at whose turn it is; a request of this process does not wait for it. */
const LOOK_EVERY_MS = 10_000

export interface CalculationJob {
  /** Calculates everything whose turn it is, one cohort after the other. @returns how many were tried */
  turn(signal: AbortSignal): Promise<number>
  /** Turn after turn until the signal aborts; never rejects. */
  run(signal: AbortSignal): Promise<void>
  /** Somebody asked for a calculation: look at once. */
  wake(): void
}

export interface CalculationJobNeeds extends Omit<CalculationNeeds, 'clock'> {
  readonly clock: Clock
  readonly cohorts: Pick<ObjectStore<CohortRow>, 'get'>
  readonly control: Pick<ControlView, 'snapshot'>
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Keeps dynamic cohorts fresh. Any number of processes may run it: a calculation is begun by one of them. */
export function createCalculationJob(needs: CalculationJobNeeds): CalculationJob {
  const { clock, calculations, control, logger } = needs
  const counter = needs.metrics.counter(
    'millrace_query_api_cohort_calculations_total',
    'Calculations of cohorts that ended, by how: finished, overtaken, failed, unavailable.',
    ['outcome'],
  )
  let waking = new AbortController()

  async function calculate(
    row: CohortRow,
    signal: AbortSignal,
    above: readonly number[] = [],
  ): Promise<void> {
    const begun = await calculations.begin(row.dataset_id, row.id, clock.now())
    if (begun === null) return
    const dataset = control.snapshot.datasets.get(row.dataset_id)?.object
    // Of a dataset that is gone nobody asks; it may come back.
    if (dataset === undefined) return calculations.fail(begun, null, clock.now())
    const question: Question = { dataset, zone: zoneOf(dataset), signal }
    try {
      await calculateParts(begun, signal, above)
      const people = await fittingPeople(needs, question, begun.filters)
      const holds = await writeMembers(needs, question, begun, filledFrom(needs, people))
      counter.add(1, { outcome: holds ? 'finished' : 'overtaken' })
      if (holds) await deleteOldSets(needs.tell, question, begun)
    } catch (error) {
      const reason = signal.aborted ? null : reasonOf(error)
      counter.add(1, { outcome: reason === null ? 'unavailable' : 'failed' })
      const keys = { err: error, dataset: row.dataset_id, cohort: row.id }
      logger.warn(keys, 'A cohort could not be calculated; its last members hold.')
      await calculations.fail(begun, reason, clock.now())
    }
  }

  /** Cohorts that it is made of and that have no members yet come first. */
  async function calculateParts(
    row: CohortRow,
    signal: AbortSignal,
    above: readonly number[],
  ): Promise<void> {
    for (const id of cohortsIn(readCriteria(JSON.parse(row.filters)))) {
      const part = await needs.cohorts.get(row.dataset_id, id)
      if (part === null || part.deleted === 1 || part.is_static === 1 || part.calculation > 0) continue
      if (!above.includes(id)) await calculate(part, signal, [...above, row.id])
    }
  }

  async function turn(signal: AbortSignal): Promise<number> {
    const rows = await calculations.due(clock.now(), TURN_MAX)
    for (const row of rows) {
      if (signal.aborted) break
      await calculate(row, signal)
    }
    return rows.length
  }

  return {
    turn,
    wake: () => waking.abort(),
    async run(signal) {
      while (!signal.aborted) {
        waking = new AbortController()
        try {
          await turn(signal)
        } catch (err) {
          if (!signal.aborted) logger.warn({ err }, 'Cohorts could not be looked up; trying again.')
        }
        await clock.sleep(LOOK_EVERY_MS, AbortSignal.any([signal, waking.signal]))
      }
    },
  }
}

/**
 * Why a calculation failed, for people to read. Null for what passes by itself: an engine that is away must not use up
 * the errors after which a cohort is left alone.
 */
function reasonOf(error: unknown): string | null {
  if (error instanceof ApiError || error instanceof UnfitCriteria) return error.message
  if (!isDependencyError(error)) return 'It failed for a reason that is not known.'
  if (error.dependency === 'metadata') return null
  const told = apiErrorOf(error)
  if (told === null) return 'ClickHouse refused the question.'
  return told.status === 503 ? null : told.message
}
