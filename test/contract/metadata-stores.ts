import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Metadata } from '../../services/core/metadata/metadata.ts'
import { migrateMetadata } from '../../services/core/metadata/metadata-migrations.ts'
import {
  ACTIVITIES_MAX,
  listActivities,
  noteActivity,
} from '../../services/query-api/activity/activity-store.ts'
import { createAnnotationStore } from '../../services/query-api/annotations/annotation-store.ts'
import { createExportStore } from '../../services/query-api/exports/export-store.ts'
import { createKeyStore } from '../../services/query-api/keys/key-store.ts'
import type { TimeZone } from '../../services/query-api/query/zoned-time.ts'
import {
  createSavedInsightStore,
  type SavedInsight,
} from '../../services/query-api/saved-insights/saved-insight-store.ts'
import { createViewStore } from '../../services/query-api/saved-insights/view-store.ts'

const ANNOTATION = {
  content: 'Release',
  date_marker: null,
  creation_type: 'USR',
  scope: 'project',
  dashboard_item: null,
} as const

const INSIGHT = {
  name: 'Buyers',
  description: '',
  insight: 'TRENDS',
  filters: '{}',
  tags: '["money"]',
  favorited: 0,
  saved: 1,
  dashboards: [] as readonly number[],
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

    let made = 0
    const insights = (atMs: number, by = 'me') => {
      const newShortId = () => `short-${made++}`
      return createSavedInsightStore(metadata, { by, atMs, zone: 'UTC' as TimeZone, newShortId })
    }
    const saved = INSIGHT as unknown as SavedInsight

    test('saved insights are found by what they are, and each change is written down with it', async () => {
      const day = 86_400_000
      await insights(10 * day).create('ins', saved, 10 * day, 'me')
      await insights(12 * day, 'you').create(
        'ins',
        { ...saved, name: 'Steps', insight: 'FUNNELS', saved: 0 },
        12 * day,
        'you',
      )
      const found = async (filters: Record<string, string>) =>
        (await insights(13 * day).list('ins', filters, page)).rows.map(({ id }) => id)
      expect(await found({})).toEqual([2, 1])
      expect(await found({ search: 'MON' })).toEqual([2, 1])
      expect(await found({ search: 'buy', saved: 'true' })).toEqual([1])
      expect(await found({ insight: 'FUNNELS', created_by: 'you' })).toEqual([2])
      expect(await found({ user: 'true' })).toEqual([1])
      expect(await found({ date_from: '-2d', date_to: '-1d' })).toEqual([2])
      expect(await found({ dashboards: '[1]' })).toEqual([])
      await expect(found({ dashboards: 'x' })).rejects.toMatchObject({ status: 400 })
      const changed = await insights(14 * day, 'you').update('ins', 1, { name: 'B' }, 14 * day, null)
      expect(changed).toMatchObject({ last_modified_by: 'you', created_by: 'me', updated_at: 14 * day })
      await expect(
        insights(15 * day).update('ins', 1, { name: 'C', dashboards: [5] }, 15 * day, null),
      ).rejects.toMatchObject({ status: 400 })
      expect((await insights(0).get('ins', 1))?.name).toBe('B')
      expect(await insights(16 * day).remove('ins', 1)).toBe(true)
      const { rows, count } = await listActivities(metadata, 'ins', 'insight', 1, page)
      expect([count, rows.map(({ activity, done_by: by, done_at: at }) => [activity, by, at / day])]).toEqual(
        [
          3,
          [
            ['removed', 'me', 16],
            ['updated', 'you', 14],
            ['created', 'me', 10],
          ],
        ],
      )
    })

    test('of what was done the newest are kept', async () => {
      const happened = {
        object: 'insight',
        objectId: 1,
        activity: 'updated',
        name: 'a',
        fields: [],
        by: 'me',
      } as const
      await metadata.db
        .insertInto('object_numbers')
        .values({ dataset_id: 'many', kind: 'activities', last: ACTIVITIES_MAX - 1 })
        .execute()
      for (const id of [1, 2, 3])
        await metadata.db
          .insertInto('activities')
          .values({
            dataset_id: 'many',
            id,
            object: 'insight',
            object_id: 1,
            activity: 'created',
            name: 'a',
            fields: '[]',
            done_by: 'me',
            done_at: 0,
          })
          .execute()
      for (let i = 0; i < 3; i++)
        await metadata.transaction((inside) => noteActivity(inside, 'many', { ...happened, atMs: i }))
      const { rows } = await listActivities(metadata, 'many', 'insight', null, page)
      expect(rows.map(({ id }) => id)).toEqual([ACTIVITIES_MAX + 2, ACTIVITIES_MAX + 1, ACTIVITIES_MAX, 3])
    })

    test('of views the last of each insight is kept, and those of insights that are gone are not told', async () => {
      const views = createViewStore(metadata)
      for (const _ of [1, 2, 3]) await insights(1).create('views', saved, 1, 'me')
      const noted = [1, 2, 3, 1, 9].map((id, at) => views.note('views', 'me', id, at))
      expect(await Promise.all(noted)).toEqual([true, true, true, true, false])
      expect(await views.last('views', 'me', 2)).toEqual([1, 3])
      expect(await views.last('views', 'you', 2)).toEqual([])
      await insights(2).update('views', 1, { deleted: 1 }, 2, null)
      await insights(2).remove('views', 3)
      expect(await views.last('views', 'me', 5)).toEqual([2])
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
