import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Metadata } from '../../services/core/metadata/metadata.ts'
import { migrateMetadata } from '../../services/core/metadata/metadata-migrations.ts'
import type { CohortRow, KpiRow, RecordingPlaylistRow } from '../../services/core/metadata/metadata-tables.ts'
import {
  ACTIVITIES_MAX,
  listActivities,
  noteActivity,
} from '../../services/query-api/activity/activity-store.ts'
import { createAnnotationStore } from '../../services/query-api/annotations/annotation-store.ts'
import { createBatchExportStore } from '../../services/query-api/batch-exports/batch-export-store.ts'
import {
  CALCULATION_LIMITS,
  createCalculationStore,
} from '../../services/query-api/cohorts/calculation-store.ts'
import { UNCALCULATED } from '../../services/query-api/cohorts/cohort-family.ts'
import { createCohortStore } from '../../services/query-api/cohorts/cohort-store.ts'
import { createDashboardStore, type Dashboard } from '../../services/query-api/dashboards/dashboard-store.ts'
import { addTiles, tilesOf } from '../../services/query-api/dashboards/tile-store.ts'
import { createDefinitionStore } from '../../services/query-api/definitions/definition-store.ts'
import { createExportStore } from '../../services/query-api/exports/export-store.ts'
import { createKeyStore } from '../../services/query-api/keys/key-store.ts'
import { createKpiStore } from '../../services/query-api/kpis/kpi-store.ts'
import {
  createPlaylistRecordings,
  PLAYLIST_RECORDINGS_MAX,
} from '../../services/query-api/playlists/playlist-recordings-store.ts'
import { createPlaylistStore } from '../../services/query-api/playlists/playlist-store.ts'
import type { TimeZone } from '../../services/query-api/query/zoned-time.ts'
import { forgetRecordings } from '../../services/query-api/recordings/forget-recordings.ts'
import { createRecordingViews } from '../../services/query-api/recordings/recording-views-store.ts'
import {
  createSavedInsightStore,
  type SavedInsight,
} from '../../services/query-api/saved-insights/saved-insight-store.ts'
import { createViewStore } from '../../services/query-api/saved-insights/view-store.ts'
import { createDatasetSettingsStore } from '../../services/query-api/settings/dataset-settings-store.ts'
import {
  createShareStore,
  DASHBOARD_SHARES,
  INSIGHT_SHARES,
  RECORDING_SHARES,
} from '../../services/query-api/sharing/share-store.ts'

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
const COHORT = { ...UNCALCULATED, name: 'a', description: '', is_static: 0, filters: '{}' }
const NONE = { members: 0, entered: 0, left: 0 }

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

    test('what is said of a definition is made once, changed in part, and kept apart by dataset and kind', async () => {
      const store = createDefinitionStore(metadata)
      const change = (dataset: string, over: object, atMs: number) =>
        store.change(dataset, 'event', "it's", over, atMs, 'me')
      const made = await Promise.all(
        ['a', 'b', 'c'].map((tag) => change('defs', { tags: `["${tag}"]` }, 1_000)),
      )
      expect(made.map(({ name }) => name)).toEqual(["it's", "it's", "it's"])
      expect(await change('defs', { description: 'd', verified: 1 }, 500)).toMatchObject({
        description: 'd',
        verified: 1,
        property_type: null,
        deleted_at: null,
      })
      const [row, ...others] = await store.list('defs', 'event')
      expect([row?.description, others]).toEqual(['d', []])
      // Four changes, the last one of a clock that stepped back: times only grow.
      expect(row?.updated_at).toBe(1_003)
      expect(await change('defs', { deleted_at: 2_000 }, 2_000)).toMatchObject({
        deleted_at: 2_000,
        description: 'd',
      })
      await change('others', {}, 1)
      await store.change('defs', 'property:event', "it's", {}, 1, 'me')
      expect((await store.list('defs', 'event')).length).toBe(1)
      expect(await store.list('none', 'event')).toEqual([])
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

    test('who looked at a recording is noted once, for each, until it is taken back or forgotten', async () => {
      const views = createRecordingViews(metadata)
      const sessions = ['s1', 's2', "'s"]
      const seen = async (dataset: string, by: string) =>
        [...(await views.viewed(dataset, by, sessions))].toSorted()
      await Promise.all(Array.from({ length: 3 }, () => views.note('one', 'me', 's1', true, 1)))
      await views.note('one', 'me', "'s", true, 2)
      await views.note('one', 'you', 's2', true, 2)
      await views.note('two', 'me', 's2', true, 2)
      expect([await seen('one', 'me'), await seen('one', 'you'), await seen('two', 'me')]).toEqual([
        ["'s", 's1'],
        ['s2'],
        ['s2'],
      ])
      await views.note('one', 'me', "'s", false, 3)
      await forgetRecordings(metadata, 'one', ['s2', 's3'])
      expect([await seen('one', 'me'), await seen('one', 'you'), await seen('two', 'me')]).toEqual([
        ['s1'],
        [],
        ['s2'],
      ])
      expect(await views.viewed('one', 'me', [])).toEqual(new Set())
    })

    const playlists = () => createPlaylistStore(metadata, { by: 'me', atMs: 5, newShortId: () => 'k3JdQz7P' })
    const madePlaylist = async (dataset: string) => {
      const playlist = { name: 'Lost', derived_name: null, description: '', pinned: 0, filters: '{}' }
      const row = await playlists().create(dataset, playlist as unknown as RecordingPlaylistRow, 5, 'me')
      return row as RecordingPlaylistRow
    }

    test('what is on a playlist is on it once, in the order that it was added, and goes with either of the two', async () => {
      const made = await madePlaylist('lists')
      expect([
        await playlists().numberOf?.('lists', 'k3JdQz7P'),
        await playlists().numberOf?.('other', 'k3JdQz7P'),
      ]).toEqual([1, null])
      const recordings = createPlaylistRecordings(metadata)
      const add = (session: string, atMs: number) => recordings.add(made, session, { by: 'you', atMs })
      await Promise.all([add('a', 10), add('a', 11), add('b', 12)])
      expect(await recordings.sessions('lists', 1)).toEqual(['b', 'a'])
      expect(await playlists().get('lists', 1)).toMatchObject({ last_modified_by: 'you', created_by: 'me' })
      expect(await recordings.remove(made, 'b', { by: 'me', atMs: 20 })).toBe(true)
      expect(await recordings.remove(made, 'b', { by: 'me', atMs: 21 })).toBe(false)
      const { rows } = await listActivities(metadata, 'lists', 'session_recording_playlist', 1, page)
      expect(rows.map(({ activity, fields }) => [activity, JSON.parse(fields)])).toEqual([
        ['updated', ['recordings']],
        ['updated', ['recordings']],
        ['updated', ['recordings']],
        ['created', expect.arrayContaining(['name', 'filters'])],
      ])
      await forgetRecordings(metadata, 'lists', ['none', 'a'])
      expect(await recordings.sessions('lists', 1)).toEqual([])
      await add('c', 30)
      expect([await playlists().remove('lists', 1), await recordings.sessions('lists', 1)]).toEqual([
        true,
        [],
      ])
    })

    test('a playlist that is full takes no more, also of many at once', async () => {
      const made = await madePlaylist('full')
      await metadata.db
        .insertInto('playlist_recordings')
        .values(
          Array.from({ length: PLAYLIST_RECORDINGS_MAX - 2 }, (_, n) => ({
            dataset_id: 'full',
            playlist_id: 1,
            session_id: `s${n}`,
            added_at: 1,
            added_by: 'me',
          })),
        )
        .execute()
      const recordings = createPlaylistRecordings(metadata)
      const tries = await Promise.allSettled(
        ['a', 'b', 'c', 'd'].map((session) => recordings.add(made, session, { by: 'me', atMs: 2 })),
      )
      expect(tries.map(({ status }) => status).toSorted()).toEqual([
        'fulfilled',
        'fulfilled',
        'rejected',
        'rejected',
      ])
      expect(await recordings.sessions('full', 1)).toHaveLength(PLAYLIST_RECORDINGS_MAX)
    })

    test('settings of a dataset are put and replaced', async () => {
      const store = createDatasetSettingsStore(metadata)
      expect(await store.get('shop')).toBe(null)
      const row = { dataset_id: 'shop', test_account_filters: '[]', updated_at: 1, updated_by: 'me' }
      await store.put(row)
      await store.put({ ...row, test_account_filters: '[1]', updated_at: 2 })
      expect(await store.get('shop')).toEqual({ ...row, test_account_filters: '[1]', updated_at: 2 })
      expect(await store.get('blog')).toBe(null)
    })

    test('a calculation is begun once, and only the last one begun, of the criteria as they are, may hold', async () => {
      const cohorts = createCohortStore(metadata)
      const store = createCalculationStore(metadata)
      const { id = 0 } = (await cohorts.create('begin', COHORT, 1, 'me')) ?? {}
      const begin = (nowMs: number) => store.begin('begin', id, nowMs)
      const tries = await Promise.all([begin(10), begin(10), begin(10)])
      const [first] = tries.filter((row) => row !== null)
      expect(tries.filter((row) => row === null)).toHaveLength(2)
      expect(first).toMatchObject({ begun: 1, calculation: 0, begun_at: 10 })
      // Whoever began it has not been heard of for the time of its lease.
      const later = 10 + CALCULATION_LIMITS.leaseMs
      expect(await begin(later - 1)).toBe(null)
      const second = await begin(later)
      expect(second?.begun).toBe(2)
      expect(await store.publish(first as CohortRow, NONE, later)).toBe(false)
      expect(await begin(later)).toBe(null)
      const found = { members: 5, entered: 5, left: 0 }
      expect(await store.publish(second as CohortRow, found, later + 1)).toBe(true)
      expect(await cohorts.get('begin', id)).toMatchObject({
        calculation: 2,
        members: 5,
        calculated_at: later + 1,
        begun_until: null,
        updated_at: 1,
      })
      const third = await begin(later + 2)
      await cohorts.update('begin', id, { filters: '{"a":1}', is_due: 1 }, 2, null)
      expect(await store.publish(third as CohortRow, NONE, later + 3)).toBe(false)
      expect(await cohorts.get('begin', id)).toMatchObject({ calculation: 2, is_due: 1, begun_until: null })
      expect(await store.list('begin', id, page)).toMatchObject({
        count: 1,
        rows: [{ calculation: 2, members: 5, entered: 5, left_it: 0, error: null, ended_at: later + 1 }],
      })
    })

    test('a cohort has its turn when it is asked for, and by itself in its time until it has failed too often', async () => {
      const cohorts = createCohortStore(metadata)
      const store = createCalculationStore(metadata)
      const { everyMs, errors } = CALCULATION_LIMITS
      const make = async (over: object) =>
        (await cohorts.create('due', { ...COHORT, ...over }, 1, 'me'))?.id as number
      const [old, asked] = [await make({ begun_at: 1_000 }), await make({ begun_at: 5_000, is_due: 1 })]
      await make({ is_static: 1, is_due: 1 })
      const failing = await make({ begun_at: 2_000, errors: errors - 1 })
      const due = async (nowMs: number) =>
        (await store.due(nowMs, 10)).filter((row) => row.dataset_id === 'due').map(({ id }) => id)
      expect(await due(999 + everyMs)).toEqual([asked])
      expect(await due(1_000 + everyMs)).toEqual([asked, old])
      expect(await due(2_000 + everyMs)).toEqual([asked, old, failing])
      const row = (await store.begin('due', failing, 2_000 + everyMs)) as CohortRow
      expect(await due(2_000 + everyMs)).toEqual([asked, old])
      await store.fail(row, null, 1)
      expect(await due(2_000 + 2 * everyMs)).toEqual([asked, old, failing])
      await store.fail((await store.begin('due', failing, 2_000 + 2 * everyMs)) as CohortRow, 'wrong', 1)
      expect(await due(2_000 + 9 * everyMs)).toEqual([asked, old])
      expect((await store.list('due', failing, page)).rows).toMatchObject([{ error: 'wrong', members: null }])
      expect(await store.ask('due', failing)).toMatchObject({ is_due: 1, errors })
      expect(await due(2_000 + 9 * everyMs)).toEqual([asked, failing, old])
      await cohorts.update('due', asked, { deleted: 1 }, 2, null)
      expect([await store.ask('due', asked), await store.begin('due', asked, 9_000)]).toEqual([null, null])
      expect((await store.all('due')).map(({ id }) => id)).not.toContain(asked)
      await store.forget('due', failing)
      expect((await store.list('due', failing, page)).count).toBe(0)
    })

    const dashboards = (atMs: number, by = 'me') => {
      const newShortId = () => `short-${made++}`
      return createDashboardStore(metadata, { by, atMs, zone: 'UTC' as TimeZone, newShortId })
    }
    const DASHBOARD = {
      name: 'Sales',
      description: '',
      pinned: 0,
      tags: '["x"]',
      filters: '{}',
      restriction_level: 21,
      making: null,
    } as unknown as Dashboard

    test('a dashboard is made with what is on it, or not at all', async () => {
      await dashboards(1).create('boards', DASHBOARD, 1, 'me')
      await insights(1).create('boards', { ...saved, dashboards: [1] } as SavedInsight, 1, 'me')
      const copy = await dashboards(2).create(
        'boards',
        { ...DASHBOARD, name: 'Copy', pinned: 1, making: { from: 'dashboard', id: 1, deep: true } },
        2,
        'me',
      )
      expect(copy).toMatchObject({ creation_mode: 'duplicate', tiles: [{ id: 2, insight: { id: 2 } }] })
      await expect(
        dashboards(3).create(
          'boards',
          { ...DASHBOARD, making: { from: 'dashboard', id: 9, deep: true } },
          3,
          'me',
        ),
      ).rejects.toMatchObject({ status: 400 })
      const { rows } = await dashboards(4).list('boards', {}, page)
      expect(rows.map(({ id, tiles }) => [id, tiles])).toEqual([
        [2, null],
        [1, null],
      ])
      expect(
        await dashboards(4).list('boards', { search: 'COP', tags: 'x', pinned: 'true' }, page),
      ).toMatchObject({
        count: 1,
      })
      expect(await dashboards(5).remove('boards', 2)).toBe(true)
      expect((await insights(5).get('boards', 2))?.dashboards).toEqual([])
    })

    test('of two tiles of one insight on one dashboard the database takes one', async () => {
      await dashboards(1).create('twice', DASHBOARD, 1, 'me')
      await insights(1).create('twice', saved, 1, 'me')
      const tile = { insight_id: 1, body: null, layouts: {}, color: null }
      const add = () => metadata.transaction((db) => addTiles(db, 'twice', 1, [tile]))
      await add()
      await expect(add()).rejects.toMatchObject({ code: 'precondition_failed' })
      expect(await tilesOf(metadata.db, 'twice', 1)).toHaveLength(1)
    })

    const randomBytes = (size: number) => new Uint8Array(size).fill(++made)

    test('a link is one per dashboard, found by its token alone', async () => {
      await dashboards(1).create('shares', DASHBOARD, 1, 'me')
      const shares = createShareStore(metadata, DASHBOARD_SHARES, randomBytes)
      const dashboard = (await dashboards(1).get('shares', 1)) as Dashboard
      const writer = { by: 'me', atMs: 5 }
      const token = (await shares.open(dashboard, writer)) as string
      expect(await shares.open(dashboard, writer)).toBe(null)
      expect(await shares.byToken(token)).toMatchObject({
        dataset_id: 'shares',
        shared_id: 1,
        created_by: 'me',
      })
      expect((await dashboards(1).get('shares', 1))?.is_shared).toBe(true)
      await shares.close(dashboard, writer)
      expect([await shares.byToken(token), await shares.of('shares', 1)]).toEqual([null, null])
      expect(await shares.open(dashboard, writer)).not.toBe(token)
      await dashboards(2).remove('shares', 1)
      expect(await shares.of('shares', 1)).toBe(null)
    })

    test('links of dashboards, insights and recordings are kept apart, and go with what they lead to', async () => {
      await insights(1).create('links', saved, 1, 'me')
      const ofInsights = createShareStore(metadata, INSIGHT_SHARES, randomBytes)
      const ofRecordings = createShareStore(metadata, RECORDING_SHARES, randomBytes)
      const writer = { by: 'me', atMs: 5 }
      const insight = { dataset_id: 'links', id: 1, name: 'Buyers' }
      const recording = { dataset_id: 'links', id: "s'1", name: "s'1" }
      const tokens = await Promise.all([
        ofInsights.open(insight, writer),
        ofRecordings.open(recording, writer),
      ])
      expect(await ofInsights.byToken(tokens[0] as string)).toMatchObject({ shared_id: 1 })
      expect(await ofRecordings.byToken(tokens[1] as string)).toMatchObject({ shared_id: "s'1" })
      expect(await ofRecordings.byToken(tokens[0] as string)).toBe(null)
      expect(await ofRecordings.of('other', "s'1")).toBe(null)
      const { rows } = await listActivities(metadata, 'links', 'session_recording', null, page)
      expect(rows).toMatchObject([{ activity: 'shared', object_id: 0, name: "s'1", done_by: 'me' }])
      await insights(2).remove('links', 1)
      await forgetRecordings(metadata, 'links', ["s'1"])
      expect([await ofInsights.of('links', 1), await ofRecordings.of('links', "s'1")]).toEqual([null, null])
    })

    test('numbers to be seen at a glance refer to insights that are there', async () => {
      const kpis = createKpiStore(metadata, { by: 'me', atMs: 1 })
      const kpi = { name: 'Buyers', insight: 1, kpi_row: 0, place: 1, trend: 'up' } as KpiRow
      await expect(kpis.create('kpi', kpi, 1, 'me')).rejects.toMatchObject({ status: 400 })
      await insights(1).create('kpi', saved, 1, 'me')
      await kpis.create('kpi', kpi, 1, 'me')
      await kpis.create('kpi', { ...kpi, name: 'after', place: 0 }, 1, 'me')
      const names = async (ordering: string) =>
        (await kpis.list('kpi', { ordering }, page)).rows.map(({ name }) => name)
      expect([await names('order'), await names('-name')]).toEqual([
        ['after', 'Buyers'],
        ['Buyers', 'after'],
      ])
      expect(await kpis.update('kpi', 1, { trend: 'down' }, 2, null)).toMatchObject({
        last_modified_by: 'me',
      })
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

    test('a backfill is decided, cancelled and counted, and its runs are finished with the last manifest', async () => {
      const store = createBatchExportStore(metadata)
      const export_ = {
        name: 'Lake',
        interval: 'hour',
        timezone: 'UTC',
        day_begins: 0,
        destination: 'S3' as const,
        config: '{}',
        sealed_credentials: 'v1',
        mask_pii: 0,
        paused: 0,
        last_paused_at: null,
        start_at: 1_000,
        end_at: null,
        filters: null,
      }
      const chain = (id: string, kind: 'schedule' | 'backfill') => ({
        delivery_id: id,
        kind,
        status: kind === 'schedule' ? ('running' as const) : ('waiting' as const),
        ranges: kind === 'schedule' ? '[[[50,null]]]' : '[]',
        start_at: 0,
        end_at: 2_000,
      })
      await store.create('batch', export_, chain('b-1', 'schedule'), 100, 'me')
      const add = async (id: string) => {
        const made = await store.addChain('batch', 1, chain(id, 'backfill'), 100)
        if (made === null) throw new Error('It was not added.')
        return made
      }
      const [full, empty, waiting] = [await add('b-2'), await add('b-3'), await add('b-4')]
      const first = { startMs: 0, endMs: 1_000 }
      await store.decide(full, first, () => null, 200)
      expect((await store.chains('batch', 1)).map(({ status }) => status)).toEqual([
        'running',
        'waiting',
        'waiting',
        'waiting',
      ])
      await store.decide(full, first, () => '[[[0,20]]]', 200)
      await store.decide(empty, first, () => '[[[20,20]]]', 300)
      expect(await store.cancel(waiting, 400)).toBe(true)
      expect(await store.cancel(empty, 400)).toBe(false)
      const manifest = (start: number, end: number, window: number, isAsked: boolean) => ({
        key: `k${start}`,
        partition: 0,
        start,
        end,
        landed: window + 1,
        window: { startMs: window, endMs: window + 1_000 },
        isAsked,
        isGivenUp: !isAsked,
        records: 3_000_000_000,
        bytes: 5_000_000_000,
        files: 1,
      })
      expect(await store.count('b-2', manifest(0, 9, 0, true), 500)).toBe(true)
      expect(await store.cancel(full, 600)).toBe(true)
      expect(await store.count('b-2', manifest(10, 19, 1_000, false), 700)).toBe(true)
      const bounds = { fromMs: 0, toMs: 9_000, limit: 10 }
      expect(
        (await store.runs(['b-2', 'b-3'], bounds)).map((run) => [
          run.window_start,
          run.skipped,
          run.finished_at,
        ]),
      ).toEqual([
        [1_000, 2, 700],
        [0, 0, 700],
        [0, 0, 300],
      ])
      await store.finish('b-2', 800)
      expect(
        (await store.chains('batch', 1)).map(({ status, finished_at }) => [status, finished_at]),
      ).toEqual([
        ['running', null],
        ['cancelled', 800],
        ['completed', 300],
        ['cancelled', 400],
      ])
      expect(await store.countsOf(['b-2', 'b-3', 'b-4'])).toEqual(
        new Map([
          ['b-2', { runs: 2, records: 3_000_000_000, bytes: 5_000_000_000, files: 1 }],
          ['b-3', { runs: 1, records: 0, bytes: 0, files: 0 }],
        ]),
      )
      expect(await store.countsOf([])).toEqual(new Map())
    })
  })
}
