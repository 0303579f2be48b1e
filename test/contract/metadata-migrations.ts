import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import type { Metadata } from '../../services/core/metadata/metadata.ts'
import { METADATA_MIGRATIONS_DIR, migrateMetadata } from '../../services/core/metadata/metadata-migrations.ts'
import { readMigrationFiles } from '../../services/core/runtime/migration-files.ts'

type Row = Readonly<Record<string, string | number | null>>

/** Rows as a version's program wrote them, by the version that made their table. */
const ROWS: Readonly<Record<number, Readonly<Record<string, Row>>>> = {
  1: {
    personal_api_keys: {
      id: 'k1',
      label: 'dashboards',
      sha256: 'a'.repeat(64),
      tail: 'kQ3x',
      previous_sha256: null,
      previous_until: null,
      scopes: '["*"]',
      datasets: '["shop"]',
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      rolled_at: null,
      expires_at: null,
      last_used_at: 1_790_000_000_000,
    },
  },
  2: {
    object_numbers: { dataset_id: 'shop', kind: 'annotations', last: 7 },
    annotations: {
      dataset_id: 'shop',
      id: 7,
      content: 'Release',
      date_marker: null,
      creation_type: 'USR',
      scope: 'project',
      dashboard_item: null,
      deleted: 0,
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      updated_at: 1_790_000_000_000,
    },
  },
  3: {
    actions: {
      dataset_id: 'shop',
      id: 1,
      name: 'Bought',
      description: '',
      steps: '[{"event":"purchase"}]',
      tags: '[]',
      post_to_slack: 0,
      slack_message_format: '',
      deleted: 0,
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      updated_at: 1_790_000_000_000,
    },
  },
  4: {
    dataset_settings: {
      dataset_id: 'shop',
      test_account_filters: '[]',
      updated_at: 1_790_000_000_000,
      updated_by: 'administrator',
    },
  },
  5: {
    insights: {
      dataset_id: 'shop',
      id: 1,
      short_id: 'k3JdQz7P',
      name: 'Buyers',
      description: '',
      insight: 'TRENDS',
      filters: '{"events":[{"id":"purchase"}]}',
      tags: '["revenue"]',
      favorited: 1,
      saved: 1,
      last_modified_by: 'administrator',
      deleted: 0,
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      updated_at: 1_790_000_000_000,
    },
    insight_views: { dataset_id: 'shop', viewer: 'read_key:a', insight_id: 1, viewed_at: 1_790_000_000_000 },
    activities: {
      dataset_id: 'shop',
      id: 1,
      object: 'insight',
      object_id: 1,
      activity: 'created',
      name: 'Buyers',
      fields: '["name","filters"]',
      done_by: 'administrator',
      done_at: 1_790_000_000_000,
    },
  },
  6: {
    dashboards: {
      dataset_id: 'shop',
      id: 1,
      name: 'Sales',
      description: '',
      pinned: 1,
      tags: '[]',
      filters: '{"date_from":"-7d"}',
      restriction_level: 21,
      creation_mode: 'default',
      last_modified_by: 'administrator',
      deleted: 0,
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      updated_at: 1_790_000_000_000,
    },
    dashboard_tiles: {
      dataset_id: 'shop',
      id: 1,
      dashboard_id: 1,
      insight_id: 1,
      body: null,
      layouts: '{"sm":{"x":0,"y":0,"w":6,"h":5}}',
      color: 'blue',
    },
    dashboard_shares: {
      sha256: 'b'.repeat(64),
      dataset_id: 'shop',
      dashboard_id: 1,
      tail: 'kQ3x',
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
    },
  },
  7: {
    kpis: {
      dataset_id: 'shop',
      id: 1,
      name: 'Revenue',
      insight: 1,
      kpi_row: 1,
      place: 0,
      trend: 'up',
      last_modified_by: 'administrator',
      deleted: 0,
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      updated_at: 1_790_000_000_000,
    },
  },
  8: {
    definitions: {
      dataset_id: 'shop',
      kind: 'event',
      name: 'purchase',
      description: 'Paid.',
      tags: '[]',
      verified: 1,
      property_type: null,
      deleted_at: null,
      updated_at: 1_790_000_000_000,
      updated_by: 'administrator',
    },
  },
  9: {
    recording_views: {
      dataset_id: 'shop',
      session_id: 's1',
      viewed_by: 'administrator',
      viewed_at: 1_790_000_000_000,
    },
  },
  10: {
    cohorts: {
      dataset_id: 'shop',
      id: 1,
      name: 'Buyers',
      description: '',
      is_static: 0,
      filters: '{"properties":{"type":"AND","values":[]}}',
      calculation: 3,
      members: 12,
      calculated_at: 1_790_000_000_000,
      begun: 4,
      begun_at: 1_790_000_000_000,
      begun_until: null,
      is_due: 0,
      errors: 1,
      deleted: 0,
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      updated_at: 1_790_000_000_000,
    },
    cohort_calculations: {
      dataset_id: 'shop',
      cohort_id: 1,
      calculation: 3,
      begun_at: 1_790_000_000_000,
      ended_at: 1_790_000_000_000,
      members: 12,
      entered: 2,
      left_it: 1,
      error: null,
    },
  },
  11: {
    exports: {
      dataset_id: 'shop',
      id: 1,
      source: '{"path":"events","query":{}}',
      media_type: 'text/csv',
      filename: 'shop-events.csv',
      status: 'completed',
      row_count: 5,
      byte_count: 900,
      error: null,
      attempts: 1,
      leased_until: null,
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      finished_at: 1_790_000_000_500,
      expires_at: 1_800_000_000_000,
    },
  },
  12: {
    batch_exports: {
      dataset_id: 'shop',
      id: 1,
      name: 'To the lake',
      interval: 'hour',
      timezone: 'UTC',
      day_begins: 0,
      config: '{"bucket_name":"lake"}',
      sealed_credentials: 'v1.AAAA',
      mask_pii: 0,
      paused: 0,
      last_paused_at: null,
      start_at: 1_790_000_000_000,
      deleted: 0,
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      updated_at: 1_790_000_000_000,
    },
    batch_export_chains: {
      delivery_id: 'batch-export-1',
      dataset_id: 'shop',
      export_id: 1,
      number: 1,
      kind: 'schedule',
      status: 'running',
      ranges: '[[[0,null]]]',
      start_at: null,
      end_at: null,
      latest_error: null,
      created_at: 1_790_000_000_000,
    },
    batch_export_positions: {
      delivery_id: 'batch-export-1',
      partition_number: 0,
      first_offset: 0,
      next_offset: 9,
      landed: 1_790_000_000_000,
      skipped: '[]',
    },
    batch_export_runs: {
      delivery_id: 'batch-export-1',
      window_start: 1_790_000_000_000,
      window_end: 1_790_003_600_000,
      records: 9,
      bytes: 900,
      files: 1,
      skipped: 0,
      manifests: '["k"]',
      ranges: '{"0":[[0,9]]}',
      superseded_by: null,
      updated_at: 1_790_000_000_000,
    },
  },
  13: {
    recording_playlists: {
      dataset_id: 'shop',
      id: 1,
      short_id: 'k3JdQz7P',
      name: 'Lost carts',
      derived_name: null,
      description: '',
      pinned: 0,
      filters: '{"console_logs":["error"]}',
      last_modified_by: 'administrator',
      deleted: 0,
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      updated_at: 1_790_000_000_000,
    },
    playlist_recordings: {
      dataset_id: 'shop',
      playlist_id: 1,
      session_id: 's1',
      added_at: 1_790_000_000_000,
      added_by: 'administrator',
    },
  },
  14: {
    insight_shares: {
      sha256: 'c'.repeat(64),
      dataset_id: 'shop',
      insight_id: 1,
      tail: 'kQ3x',
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
    },
    recording_shares: {
      sha256: 'd'.repeat(64),
      dataset_id: 'shop',
      session_id: 's1',
      tail: 'kQ3x',
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
    },
  },
  // A column of a table that is there.
  15: {},
  16: {
    dashboard_templates: {
      dataset_id: 'shop',
      id: 1,
      template_name: 'Sales',
      dashboard_description: '',
      dashboard_filters: '{}',
      tags: '[]',
      tiles: '[]',
      deleted: 0,
      created_at: 1_790_000_000_000,
      created_by: 'administrator',
      updated_at: 1_790_000_000_000,
    },
  },
  // Columns of tables that are there.
  17: {},
  18: {},
  19: {},
}

const migrations = readMigrationFiles(METADATA_MIGRATIONS_DIR)

/** Every migration is applied to a database of the version before it, with data in place. */
export function metadataMigrationsContract(name: string, open: () => Promise<Metadata>): void {
  describe(`migrations contract: ${name}`, () => {
    test.each(migrations.slice(1))(
      'version $version finds the data of the one before',
      async ({ version }) => {
        const metadata = await open()
        await migrateMetadata(metadata, migrations.slice(0, version - 1))
        const tables = Object.entries(ROWS)
          .filter(([made]) => Number(made) < version)
          .flatMap(([, rows]) => Object.entries(rows))
        expect(tables.length).toBeGreaterThan(0)
        for (const [table, row] of tables) {
          const names = sql.join(Object.keys(row).map((column) => sql.ref(column)))
          await sql`INSERT INTO ${sql.table(table)} (${names}) VALUES (${sql.join(Object.values(row))})`.execute(
            metadata.db,
          )
        }
        expect(await migrateMetadata(metadata)).toEqual(
          migrations.slice(version - 1).map((migration) => migration.version),
        )
        for (const [table, row] of tables) {
          const { rows } = await sql`SELECT * FROM ${sql.table(table)}`.execute(metadata.db)
          expect(rows.map((found) => ({ ...(found as Row) }))).toEqual([expect.objectContaining(row)])
        }
        await metadata.close()
      },
    )

    test('version 17 takes the last manifest for the end of what was delivered before it', async () => {
      const metadata = await open()
      const before = migrations.filter(({ version }) => version < 17)
      await migrateMetadata(metadata, before)
      const { batch_export_chains: chain, batch_export_runs: run } = ROWS[12] ?? {}
      for (const [table, row] of [
        ['batch_export_chains', { ...chain, status: 'completed' }],
        [
          'batch_export_chains',
          { ...chain, status: 'completed', delivery_id: 'none', number: 2, created_at: 7 },
        ],
        ['batch_export_chains', { ...chain, delivery_id: 'running', number: 3 }],
        ['batch_export_runs', { ...run, window_start: 5, updated_at: 41 }],
        ['batch_export_runs', { ...run, updated_at: 42 }],
      ] as const) {
        const names = sql.join(Object.keys(row).map((column) => sql.ref(column)))
        await sql`INSERT INTO ${sql.table(table)} (${names}) VALUES (${sql.join(Object.values(row))})`.execute(
          metadata.db,
        )
      }
      await migrateMetadata(metadata)
      const finished = async (table: string) =>
        (
          await sql<Row>`SELECT finished_at FROM ${sql.table(table)} ORDER BY finished_at`.execute(
            metadata.db,
          )
        ).rows.map(({ finished_at }) => finished_at)
      expect(await finished('batch_export_runs')).toEqual([41, 42])
      expect((await finished('batch_export_chains')).toSorted()).toEqual([42, 7, null].toSorted())
      await metadata.close()
    })

    test('what every version made has data here to be found by the next', () => {
      expect(Object.keys(ROWS).map(Number)).toEqual(migrations.map(({ version }) => version))
    })
  })
}
