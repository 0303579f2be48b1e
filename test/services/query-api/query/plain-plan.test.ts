import { expect, test } from 'vitest'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { plannedAgain } from '../../../../services/query-api/query/plain-plan.ts'

const UNSOUND =
  'ClickHouse, query: Code: 44. Cannot convert column `a` because it is non constant in source stream but must be constant in result.'
const refused = (message: string) => new DependencyError('clickhouse', 'rejected', message)

/** Runs, failing with these errors in turn. */
async function running(...faults: readonly Error[]) {
  const settings: unknown[] = []
  const answer = await plannedAgain(async (given) => {
    const fault = faults[settings.length]
    settings.push(given)
    if (fault !== undefined) throw fault
    return 'answer'
  }).catch((error: Error) => error.message)
  return { answer, settings }
}

test('what the engine can plan runs once, as it is', async () => {
  expect(await running()).toEqual({ answer: 'answer', settings: [{}] })
})

test('what it cannot plan runs once more in a plainer plan, and no third time', async () => {
  const settings = [{}, { query_plan_split_filter: 0, query_plan_filter_push_down: 0 }]
  expect(await running(refused(UNSOUND))).toEqual({ answer: 'answer', settings })
  expect(await running(refused(UNSOUND), refused(UNSOUND), refused(UNSOUND))).toEqual({
    answer: UNSOUND,
    settings,
  })
})

test.each([
  refused('ClickHouse, query: Code: 44. Illegal column for function arrayMap'),
  refused('ClickHouse, query: Code: 159. Timeout exceeded: must be constant in result'),
  new Error(UNSOUND),
])('any other failure is the answer: %s', async (fault) => {
  expect(await running(fault)).toEqual({ answer: fault.message, settings: [{}] })
})
