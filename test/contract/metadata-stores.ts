import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Metadata } from '../../services/core/metadata/metadata.ts'
import { migrateMetadata } from '../../services/core/metadata/metadata-migrations.ts'
import { createAnnotationStore } from '../../services/query-api/annotations/annotation-store.ts'
import { createExportStore } from '../../services/query-api/exports/export-store.ts'
import { createKeyStore } from '../../services/query-api/keys/key-store.ts'

const ANNOTATION = {
  content: 'Release',
  date_marker: null,
  creation_type: 'USR',
  scope: 'project',
  dashboard_item: null,
} as const

/** What the stores over the metadata database must do on every engine of it. */
export function metadataStoresContract(name: string, open: () => Promise<Metadata>): void {
  describe(`stores contract: ${name}`, () => {
    let metadata: Metadata
    beforeAll(async () => {
      metadata = await open()
      await migrateMetadata(metadata)
    })
    afterAll(() => metadata.close())
    const page = { limit: 10, offset: 0 }

    test('objects are numbered from 1 in each dataset, also when many are made at once', async () => {
      const store = createAnnotationStore(metadata)
      const make = (dataset: string) => store.create(dataset, ANNOTATION, 1_000, 'me')
      const made = await Promise.all(Array.from({ length: 12 }, (_, i) => make(i % 3 === 0 ? 'two' : 'one')))
      const numbers = (dataset: string) =>
        made.filter((row) => row?.dataset_id === dataset).map((row) => row?.id)
      expect(numbers('one').toSorted()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
      expect(numbers('two').toSorted()).toEqual([1, 2, 3, 4])
      expect(await store.list('two', {}, { limit: 3, offset: 3 })).toMatchObject({
        count: 4,
        rows: [{ dataset_id: 'two', id: 1 }],
      })
    })

    test('of changes made from one state the first counts, and times of changes only grow', async () => {
      const store = createAnnotationStore(metadata)
      const { id = 0 } = (await store.create('grow', ANNOTATION, 5_000, 'me')) ?? {}
      const changes = await Promise.all(
        ['a', 'b', 'c'].map((content) => store.update('grow', id, { content }, 4_000, 5_000)),
      )
      const counted = changes.filter((row) => row !== null)
      expect(counted).toHaveLength(1)
      expect(counted[0]).toMatchObject({ id, updated_at: 5_001, created_at: 5_000 })
      expect(await store.update('grow', id, { deleted: 1 }, 9_000, null)).toMatchObject({
        content: counted[0]?.content,
        updated_at: 9_000,
        deleted: 1,
      })
      expect(await store.update('other', id, { content: 'theirs' }, 9_000, null)).toBe(null)
      expect(await store.list('grow', {}, page)).toEqual({ rows: [], count: 0 })
      expect([await store.remove('other', id), await store.remove('grow', id)]).toEqual([false, true])
      expect(await store.get('grow', id)).toBe(null)
    })

    test('text is found in any case, and its wildcards mean themselves', async () => {
      const store = createAnnotationStore(metadata)
      for (const content of ['50% OFF', '500 off', 'a\\b'])
        await store.create('text', { ...ANNOTATION, content }, 1, 'me')
      const found = async (search: string) =>
        (await store.list('text', { search }, page)).rows.map(({ content }) => content).toSorted()
      expect(await found('0 off')).toEqual(['500 off'])
      expect(await found('0% off')).toEqual(['50% OFF'])
      expect(await found('\\')).toEqual(['a\\b'])
    })

    test('keys are found by both of their texts, and a use is noted only forward', async () => {
      const store = createKeyStore(metadata)
      const row = {
        id: 'k1',
        label: 'l',
        sha256: 'new',
        tail: 'abcd',
        previous_sha256: 'old',
        previous_until: 5,
        scopes: '["*"]',
        datasets: '["shop"]',
        created_at: 1,
        created_by: 'me',
        rolled_at: null,
        expires_at: Number.MAX_SAFE_INTEGER,
        last_used_at: null,
      }
      await store.insert(row)
      await expect(store.insert({ ...row, id: 'k2' })).rejects.toMatchObject({ code: 'precondition_failed' })
      for (const hash of ['new', 'old']) expect(await store.findByHash(hash)).toEqual(row)
      expect(await store.findByHash('other')).toBe(null)
      await store.noteUse('k1', 20)
      await store.noteUse('k1', 10)
      expect((await store.get('k1'))?.last_used_at).toBe(20)
      expect(await store.update('k1', { label: 'renamed' })).toMatchObject({ id: 'k1', label: 'renamed' })
      expect(await store.update('none', { label: 'x' })).toBe(null)
      expect(await store.list()).toHaveLength(1)
      expect([await store.remove('k1'), await store.remove('k1')]).toEqual([true, false])
    })

    test('of many who ask for exports at once each gets another one, and a claim that ran out is heard no more', async () => {
      const store = createExportStore(metadata)
      const made = {
        source: '{}',
        media_type: 'text/csv',
        filename: 'f.csv',
        created_by: 'me',
        expires_at: 9_000,
      } as const
      for (let i = 0; i < 4; i++) await store.create('exports', made, 1_000 + i)
      const claims = await Promise.all(Array.from({ length: 6 }, () => store.claim(2_000, 3_000)))
      const ids = claims.flatMap((claim) => claim?.id ?? [])
      expect(ids.toSorted()).toEqual([1, 2, 3, 4].slice(0, ids.length))
      while ((await store.claim(2_000, 3_000)) !== null);
      const [row] = (await store.list('exports', { limit: 1, offset: 3 })).rows
      if (row === undefined) throw new Error('The oldest one is not listed.')
      expect(row).toMatchObject({ id: 1, status: 'running', attempts: 1, leased_until: 3_000 })
      expect(await store.renew(row, 4_000)).toBe(true)
      expect((await store.claim(3_500, 5_000))?.id).not.toBe(1)
      const again = await store.claim(10_000, 20_000)
      expect(again).toMatchObject({ id: 1, attempts: 2 })
      const outcome = {
        status: 'completed',
        row_count: 5,
        byte_count: 9,
        error: null,
        finished_at: 1,
      } as const
      expect([await store.renew(row, 5_000), await store.settle(row, outcome)]).toEqual([false, false])
      expect(await store.settle(again ?? row, outcome)).toBe(true)
      expect(await store.get('exports', 1)).toMatchObject({ ...outcome, leased_until: null, attempts: 2 })
      expect(await store.get('other', 1)).toBe(null)
      expect(await store.expired(8_999, 10)).toEqual([])
      expect(await store.expired(9_000, 2)).toHaveLength(2)
      expect([await store.remove('other', 1), (await store.remove('exports', 1))?.id]).toEqual([null, 1])
      expect((await store.list('exports', page)).count).toBe(3)
    })
  })
}
