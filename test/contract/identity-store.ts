import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createDatasetState } from '../../services/identity/persons/dataset-state.ts'
import { resolveRecord } from '../../services/identity/persons/resolve-record.ts'
import type { Claim, IdentityStore, OutboxRow, Step } from '../../services/identity/store/identity-store.ts'
import { identityEvent, NOBODY } from '../services/identity/persons/nobody.ts'

/** A place that outlives who opened it; each call of `open` is another process. */
export interface IdentityPlace {
  open(): Promise<IdentityStore>
}

/** What every store of persons must do. `place` makes an empty one per call. */
export function identityStoreContract(name: string, place: () => Promise<IdentityPlace>): void {
  describe(`identity store contract: ${name}`, () => {
    let store: IdentityStore
    let other: IdentityStore
    beforeAll(async () => {
      const shared = await place()
      store = await shared.open()
      other = await shared.open()
    })
    afterAll(() => Promise.all([store.close(), other.close()]))

    const row = (seq: number, body = '{"a":1}'): OutboxRow => ({
      seq,
      target: 'persons',
      body,
      queuedAt: 100 + seq,
    })
    const step = (next: number, given: Partial<Step> = {}): Step => ({
      next,
      sources: new Map(),
      datasets: new Map(),
      outbox: [],
      ...given,
    })
    const {
      next: _,
      epoch: __,
      ...NOTHING
    }: Claim = {
      partition: 0,
      epoch: 0,
      next: null,
      outboxSeq: 0,
      sources: new Map(),
    }

    test('a partition begins with nothing, and whoever takes it over finds where it stands', async () => {
      const first = await store.claim(1, 'topic', 'one')
      expect(first).toMatchObject({ ...NOTHING, partition: 1, next: null })
      await store.commit(first, step(7, { sources: new Map([[0, 41]]), outbox: [row(1), row(2)] }))
      const second = await other.claim(1, 'topic', 'two')
      expect(second).toMatchObject({ next: 7, outboxSeq: 2, sources: new Map([[0, 41]]) })
      expect(second.epoch).toBeGreaterThan(first.epoch)
    })

    test('an owner that was followed by another one commits nothing, and learns why', async () => {
      const paused = await store.claim(2, 'topic', 'one')
      const owner = await other.claim(2, 'topic', 'two')
      await expect(store.commit(paused, step(5, { outbox: [row(1)] }))).rejects.toMatchObject({
        dependency: 'metadata',
        code: 'fenced',
      })
      await other.commit(owner, step(3))
      expect(await store.pending(2, 10, 1000)).toEqual([])
      expect((await store.claim(2, 'topic', 'three')).next).toBe(3)
    })

    test('an owner that is followed while it commits writes all of it before, or nothing', async () => {
      const claim = await store.claim(3, 'topic', 'one')
      const taking: Promise<Claim>[] = []
      const committing = store.commit(claim, step(9, { outbox: [row(1)] }), () => {
        taking.push(other.claim(3, 'topic', 'two'))
      })
      const outcome = await committing.then(
        () => 'committed',
        (error: { code: string }) => error.code,
      )
      const next = (await (taking[0] as Promise<Claim>)).next
      expect([outcome, next]).toEqual(outcome === 'committed' ? ['committed', 9] : ['fenced', null])
    })

    test('what fails before it is settled leaves nothing', async () => {
      const claim = await store.claim(4, 'topic', 'one')
      const failing = store.commit(claim, step(5, { outbox: [row(1)] }), () => {
        throw new Error('killed')
      })
      await expect(failing).rejects.toThrow('killed')
      expect((await other.claim(4, 'topic', 'two')).next).toBeNull()
      expect(await other.pending(4, 10, 1000)).toEqual([])
    })

    test('a topic that was made again is not read on', async () => {
      await store.claim(5, 'topic', 'one')
      await expect(store.claim(5, 'another', 'one')).rejects.toMatchObject({ code: 'corrupt' })
    })

    test('persons, ids, groups and heads come back as they were written, to the digit', async () => {
      const claim = await store.claim(6, 'topic', 'one')
      const state = createDatasetState(NOBODY)
      const odd = { ['__proto__']: 'x', n: JSON.rawJSON('9007199254740993'), 'é"\\': [null] }
      resolveRecord(
        state,
        identityEvent('ann', {
          merge: { by: 'identify', other_id: 'anon' },
          set: odd,
          initial: { $initial_os: 'iOS' },
          group: { type: 'company', key: 'acme', set: { size: 1.5 } },
        }),
      )
      resolveRecord(state, identityEvent('bob', { event_time: -5 }))
      const changes = state.changes()
      await store.commit(claim, step(1, { datasets: new Map([['shop', changes]]) }))

      const persons = await other.persons('shop', ['ann', 'bob', 'nobody'])
      expect(persons.map((person) => JSON.stringify(person)).sort()).toEqual(
        [...changes.persons.values()].map((person) => JSON.stringify(person)).sort(),
      )
      const ids = await other.distinctIds('shop', ['ann', 'anon', 'bob', 'nobody'])
      expect(new Map(ids.map((each) => [each.id, each]))).toEqual(changes.distinctIds)
      expect((await other.distinctIdsOf('shop', ['ann'])).map(({ id }) => id).sort()).toEqual(['ann', 'anon'])
      expect(await other.groups('shop', ['acme'])).toEqual(
        changes.groups.map((group) => ({ ...group, properties: { size: 1.5 } })),
      )
      expect(await other.datasets(['shop', 'blog'])).toEqual(
        new Map([['shop', { ...changes.head, groupTypes: ['company'] }]]),
      )
      expect(await other.persons('blog', ['ann'])).toEqual([])
    })

    test('a person that is no more is gone, its ids belong where they were moved, and states are replaced', async () => {
      const claim = await store.claim(7, 'topic', 'one')
      const state = createDatasetState(NOBODY)
      resolveRecord(state, identityEvent('a'))
      resolveRecord(state, identityEvent('b'))
      await store.commit(claim, step(1, { datasets: new Map([['other', state.changes()]]) }))
      resolveRecord(state, identityEvent('a', { merge: { by: 'alias', other_id: 'b' } }))
      await store.commit(claim, step(2, { datasets: new Map([['other', state.changes()]]) }))
      expect((await store.persons('other', ['a', 'b'])).map(({ key }) => key)).toEqual(['a'])
      expect((await store.distinctIdsOf('other', ['a'])).map(({ id }) => id).sort()).toEqual(['a', 'b'])
      expect(await store.distinctIdsOf('other', ['b'])).toEqual([])
    })

    test('ids of commands are known once they were committed, each in its dataset', async () => {
      const claim = await store.claim(10, 'topic', 'one')
      const state = createDatasetState(NOBODY)
      for (const event_id of ['call-1', 'call-2', 'call-1'])
        resolveRecord(state, {
          v: 1,
          kind: 'command',
          dataset_id: 'called',
          event_id,
          collector_time: 1,
          actor: 'me',
          command: { name: 'delete', person_key: 'nobody' },
        })
      await store.commit(claim, step(1, { datasets: new Map([['called', state.changes()]]) }))
      const ids = ['call-1', 'call-2', 'call-3']
      expect(await other.commands('called', ids)).toEqual(new Set(['call-1', 'call-2']))
      expect(await other.commands('shop', ids)).toEqual(new Set())
      expect(state.changes().history).toHaveLength(2)
    })

    test('more ids than one statement takes are all found', async () => {
      const claim = await store.claim(8, 'topic', 'one')
      const state = createDatasetState(NOBODY)
      const ids = Array.from({ length: 2_500 }, (_, n) => `id-${n}`)
      for (const id of ids) resolveRecord(state, identityEvent(id))
      await store.commit(claim, step(1, { datasets: new Map([['large', state.changes()]]) }))
      expect((await store.distinctIds('large', ids)).length).toBe(ids.length)
      expect((await store.persons('large', ids)).length).toBe(ids.length)
    })

    test('rows wait in order within both bounds, one at least, until they were told', async () => {
      const claim = await store.claim(9, 'topic', 'one')
      const bodies = [1, 2, 3, 4].map((seq) => row(seq, JSON.stringify({ text: 'é'.repeat(seq * 10) })))
      await store.commit(claim, step(1, { outbox: bodies }))
      const seqs = async (rowsMax: number, bytesMax: number) =>
        (await other.pending(9, rowsMax, bytesMax)).map(({ seq }) => seq)
      expect(await other.pending(9, 10, 10_000)).toEqual(bodies)
      expect(await seqs(2, 10_000)).toEqual([1, 2])
      expect(await seqs(10, 1)).toEqual([1])
      expect(await seqs(10, Buffer.byteLength(bodies[0]!.body) + Buffer.byteLength(bodies[1]!.body))).toEqual(
        [1, 2],
      )
      expect(await other.outbox(9)).toEqual({ rows: 4, oldestAt: 101 })
      await other.told(9, 3)
      await other.told(9, 2)
      expect(await seqs(10, 10_000)).toEqual([4])
      await store.told(9, 4)
      expect(await store.outbox(9)).toEqual({ rows: 0, oldestAt: null })
      expect((await store.claim(9, 'topic', 'one')).outboxSeq).toBe(4)
    })

    test('it answers, and no more after it was closed', async () => {
      const closing = await (await place()).open()
      await closing.ping()
      await closing.close()
      await expect(closing.ping()).rejects.toThrow()
    })
  })
}
