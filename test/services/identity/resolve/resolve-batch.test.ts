import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { IdentityRecord } from '../../../../schemas/identity-record/v1.ts'
import { createDatasetState } from '../../../../services/identity/persons/dataset-state.ts'
import { resolveRecord } from '../../../../services/identity/persons/resolve-record.ts'
import { resolveBatch } from '../../../../services/identity/resolve/resolve-batch.ts'
import type { Claim, OutboxRow } from '../../../../services/identity/store/identity-store.ts'
import { batchOf } from '../identity-batch.ts'
import { createMemoryIdentityStore, type MemoryIdentityStore } from '../memory-identity-store.ts'
import { identityEvent, NOBODY } from '../persons/nobody.ts'
import { recordOf, type Step, step } from '../persons/random-record.ts'

/** Records of one dataset as they would lie in the topic, made while they are applied one by one. */
function history(steps: readonly Step[], datasetId: string) {
  const state = createDatasetState(NOBODY)
  const records = steps.map((made, index): IdentityRecord => {
    const record = recordOf(made, (id) => state.distinctId(id)?.personKey ?? id)
    resolveRecord(state, record)
    return record.kind === 'event'
      ? { ...record, dataset_id: datasetId, src_offset: index }
      : { ...record, dataset_id: datasetId }
  })
  return { records, changes: state.changes() }
}

async function applyAll(store: MemoryIdentityStore, claimed: Claim, batches: readonly IdentityRecord[][]) {
  let claim = claimed
  const outbox: OutboxRow[] = []
  for (const records of batches) {
    if (records.length === 0) continue
    const batch = batchOf(
      records.map((record, index) => ({ offset: (claim.next ?? 0) + index, value: JSON.stringify(record) })),
    )
    const { step: done } = await resolveBatch(store, claim, batch, 0)
    await store.commit(claim, done)
    outbox.push(...done.outbox)
    claim = {
      ...claim,
      next: done.next,
      sources: done.sources,
      outboxSeq: done.outbox.at(-1)?.seq ?? claim.outboxSeq,
    }
  }
  return { claim, outbox }
}

test('however a history is cut into batches, the same persons, versions and history come out', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 30, size: 'max' }),
      fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 6 }),
      async (steps, sizes) => {
        const { records, changes } = history(steps, 'shop')
        const batches: IdentityRecord[][] = []
        for (let from = 0, n = 0; from < records.length; n++) {
          const size = sizes[n % sizes.length] as number
          batches.push(records.slice(from, from + size))
          from += size
        }
        const store = createMemoryIdentityStore()
        const { outbox } = await applyAll(store, await store.claim(0, 't', 'o'), batches)

        const persons = [...changes.persons.values()].filter((person) => person !== null)
        expect(sorted(store.personsOf('shop'))).toEqual(sorted(persons))
        const told = outbox
          .filter(({ target }) => target === 'person_changes')
          .map(({ body }) => JSON.parse(body))
        expect(told.map(({ version, change, reason }) => [version, change, reason])).toEqual(
          changes.history.map(({ version, change, reason }) => [version, change, reason]),
        )
        // Whoever keeps the newest row of every key has the persons that there are.
        const newest = new Map<string, { is_deleted: boolean; version: number; properties: object }>()
        for (const { target, body } of outbox) {
          const row = JSON.parse(body)
          if (target === 'persons' && row.version >= (newest.get(row.person_key)?.version ?? 0))
            newest.set(row.person_key, row)
        }
        const alive = [...newest].filter(([, row]) => !row.is_deleted)
        expect(
          new Map(alive.map(([key, { version, properties }]) => [key, { version, properties }])),
        ).toEqual(
          new Map(
            persons.map(({ key, version, properties }) => [key, { version, properties: { ...properties } }]),
          ),
        )
        expect(outbox.map(({ seq }) => seq)).toEqual(outbox.map((_, index) => index + 1))
      },
    ),
    { numRuns: 500 },
  )
})

const sorted = (persons: readonly object[]) => persons.map((person) => JSON.stringify(person)).sort()

test('records that come a second time are passed over, whatever is new behind them is not', async () => {
  const store = createMemoryIdentityStore()
  const events = [1, 2, 3].map((n) => identityEvent(`p${n}`, { src_offset: n }))
  const { claim } = await applyAll(store, await store.claim(0, 't', 'o'), [events.slice(0, 2)])
  const batch = batchOf(
    [...events.slice(0, 2), ...events].map((record, index) => ({
      offset: index,
      value: JSON.stringify(record),
    })),
  )
  const { step: done, applied, duplicates } = await resolveBatch(store, claim, batch, 0)
  expect([applied, duplicates, done.next]).toEqual([1, 2, 5])
  expect([...(done.datasets.get('shop')?.persons.keys() ?? [])]).toEqual(['p3'])
})

test('what cannot be read is told with its offset, and its neighbours go through', async () => {
  const store = createMemoryIdentityStore()
  const good = JSON.stringify(identityEvent('ann', { src_offset: 9 }))
  const values = ['{', '[]', '{"v":1,"kind":"event"}', '{"v":1,"kind":"other"}', good]
  const batch = batchOf(values.map((value, offset) => ({ offset, value })))
  const resolved = await resolveBatch(store, await store.claim(0, 't', 'o'), batch, 0)
  expect(resolved.unreadable.map(({ offset }) => offset)).toEqual([0, 1, 2, 3])
  expect([resolved.applied, resolved.step.next]).toEqual([1, 5])
})

test('datasets are told apart, and one that nothing happened to is not written', async () => {
  const store = createMemoryIdentityStore()
  const claim = await store.claim(0, 't', 'o')
  const shop = identityEvent('ann', { src_offset: 1 })
  const { claim: after } = await applyAll(store, claim, [
    [shop, { ...shop, dataset_id: 'blog', src_offset: 2 }],
  ])
  expect(store.personsOf('blog')).toHaveLength(1)
  const batch = batchOf([{ offset: 2, value: JSON.stringify({ ...shop, src_offset: 3 }) }])
  const { step: done } = await resolveBatch(store, after, batch, 0)
  expect([done.datasets.size, done.outbox.length]).toEqual([0, 0])
})
