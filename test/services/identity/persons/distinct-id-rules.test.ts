import { expect, test } from 'vitest'
import { createDatasetState } from '../../../../services/identity/persons/dataset-state.ts'
import { isMergeable, isNameable } from '../../../../services/identity/persons/distinct-id-rules.ts'
import { resolveRecord } from '../../../../services/identity/persons/resolve-record.ts'
import { identityEvent, NOBODY } from './nobody.ts'

/** What stands for nobody, in any case. */
const IN_ANY_CASE =
  'anonymous guest distinctid distinct_id id not_authenticated email undefined true false'.split(' ')
/** What stands for nobody exactly so. */
const EXACTLY = ['[object Object]', 'NaN', 'None', 'none', 'null', '0']
const BLANK = [' ', '   ', '\t', '\n \r', '\u00a0']
const everyCase = (word: string) => [
  word,
  word.toUpperCase(),
  `${word.charAt(0).toUpperCase()}${word.slice(1)}`,
]
const ILLEGAL = [...IN_ANY_CASE.flatMap(everyCase), ...EXACTLY, ...BLANK]

test.each(ILLEGAL)(
  '%j merges nobody, on either side of any kind of merge, and the refusal is told',
  (illegal) => {
    expect([isMergeable(illegal), isNameable(illegal)]).toEqual([false, true])
    for (const by of ['identify', 'alias', 'merge_dangerously'] as const)
      for (const [distinctId, other_id] of [
        ['ann', illegal],
        [illegal, 'ann'],
      ] as const) {
        const state = createDatasetState(NOBODY)
        resolveRecord(state, identityEvent('ann'))
        resolveRecord(state, identityEvent(illegal))
        resolveRecord(state, identityEvent(distinctId, { merge: { by, other_id } }))
        const { change, reason } = state.changes().history.at(-1) ?? {}
        expect([change, reason]).toEqual(['merge_refused', 'cannot_merge_with_illegal_distinct_id'])
        expect(state.person('ann')?.distinctIds).toBe(1)
        expect(state.person(illegal)?.distinctIds).toBe(1)
      }
  },
)

test('an empty id is no name at all, and merges nobody', () => {
  expect([isNameable(''), isMergeable('')]).toEqual([false, false])
  const state = createDatasetState(NOBODY)
  resolveRecord(state, identityEvent('ann', { merge: { by: 'identify', other_id: '' } }))
  expect(state.changes().history.map(({ change, reason }) => `${change} ${reason}`)).toContain(
    'merge_refused cannot_merge_with_illegal_distinct_id',
  )
})

test.each([
  'Nan',
  'NULL',
  'NONE',
  '00',
  '[Object Object]',
  'anonymous-1',
  'my id',
  'e-mail',
  'guests',
  'trueish',
  '1',
])('%j is somebody: only whole words count, and some only as programs write them', (id) => {
  expect(isMergeable(id)).toBe(true)
})
