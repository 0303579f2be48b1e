import type { CohortRow } from '../../core/metadata/metadata-tables.ts'
import type { Tell } from '../query/ask.ts'
import type { Question } from '../query/question.ts'
import { CALCULATION_LIMITS } from './calculation-store.ts'

/** Sets are deleted after every so many calculations: a deletion rewrites what it touches, however little it is. */
export const DELETED_EVERY = 16

/**
 * Deletes the sets before the one that held until now, which running questions may still read, and the changes of
 * calculations that nobody remembers.
 *
 * @param begun the cohort as it was when the calculation began that holds now
 */
export async function deleteOldSets(tell: Tell, question: Question, begun: CohortRow): Promise<void> {
  if (begun.begun % DELETED_EVERY !== 0) return
  await deleteBefore(tell, question, 'cohort_members', begun, begun.calculation)
  const forgotten = begun.begun - CALCULATION_LIMITS.remembered
  if (forgotten > 0) await deleteBefore(tell, question, 'cohort_changes', begun, forgotten)
}

/** Deletes everything of a cohort. */
export async function deleteSets(tell: Tell, cohort: Pick<CohortRow, 'dataset_id' | 'id'>): Promise<void> {
  // Whoever asked for it may go away: it is done all the same.
  const question = { signal: new AbortController().signal, dataset: { id: cohort.dataset_id } }
  for (const table of ['cohort_members', 'cohort_changes'] as const)
    await deleteBefore(tell, question, table, cohort, Number.MAX_SAFE_INTEGER)
}

function deleteBefore(
  tell: Tell,
  question: Parameters<Tell>[0],
  table: 'cohort_members' | 'cohort_changes',
  { dataset_id, id }: Pick<CohortRow, 'dataset_id' | 'id'>,
  calculation: number,
): Promise<void> {
  return tell(
    question,
    (bindings) =>
      `ALTER TABLE ${table} DELETE WHERE dataset_id = ${bindings.bind(dataset_id, 'String')} ` +
      `AND cohort_id = ${bindings.bind(id, 'UInt64')} AND calculation < ${bindings.bind(calculation, 'UInt64')}`,
  )
}
