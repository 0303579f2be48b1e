import { type Insertable, type Kysely, sql } from 'kysely'
import type { Metadata } from '../../core/metadata/metadata.ts'
import { DependencyError } from '../../core/runtime/errors.ts'
import type { DatasetChanges } from '../persons/dataset-state.ts'
import type { Claim, IdentityStore, OutboxTarget, Step } from './identity-store.ts'
import type { IdentityTables } from './identity-tables.ts'
import { distinctIdRow, groupRow, personRow, readDistinctId, readGroup, readPerson } from './stored-rows.ts'

type Queries = Kysely<IdentityTables>

/** Values of one list in a statement; both engines take some tens of thousands. */
const LIST_MAX = 1_000

/** The stage's state in SQL, whichever of the two engines is behind it. */
export function createSqlIdentityStore(metadata: Metadata): IdentityStore {
  const db = metadata.db.withTables<IdentityTables>()

  return {
    async claim(partition, topicId, owner) {
      return metadata.transaction(async (inside) => {
        const tables = inside.withTables<IdentityTables>()
        const row = await tables
          .insertInto('identity_partitions')
          .values({
            source_partition: partition,
            topic_id: topicId,
            epoch: 1,
            owner,
            next_offset: null,
            outbox_seq: 0,
            sources: '{}',
          })
          .onConflict((conflict) =>
            conflict
              .column('source_partition')
              .doUpdateSet({ owner, epoch: sql`identity_partitions.epoch + 1` }),
          )
          .returningAll()
          .executeTakeFirstOrThrow()
        if (row.topic_id !== topicId)
          throw new DependencyError(
            'metadata',
            'corrupt',
            `Partition ${partition} was read from the topic ${row.topic_id}, and the topic is now ${topicId}: it was made again. docs/persons.md says how to rebuild.`,
          )
        return {
          partition,
          epoch: row.epoch,
          next: row.next_offset,
          outboxSeq: row.outbox_seq,
          sources: readSources(row.sources),
        }
      })
    },

    async datasets(datasetIds) {
      const rows = await inLists(datasetIds, (some) =>
        db.selectFrom('identity_datasets').selectAll().where('dataset_id', 'in', some).execute(),
      )
      return new Map(
        rows.map(({ dataset_id, version, changed_at, group_types }) => [
          dataset_id,
          { version, changedAt: changed_at, groupTypes: JSON.parse(group_types) as string[] },
        ]),
      )
    },
    async persons(datasetId, keys) {
      const rows = await inLists(keys, (some) =>
        db
          .selectFrom('identity_persons')
          .selectAll()
          .where('dataset_id', '=', datasetId)
          .where('person_key', 'in', some)
          .execute(),
      )
      return rows.map(readPerson)
    },
    async distinctIds(datasetId, ids) {
      const rows = await inLists(ids, (some) =>
        db
          .selectFrom('identity_distinct_ids')
          .selectAll()
          .where('dataset_id', '=', datasetId)
          .where('distinct_id', 'in', some)
          .execute(),
      )
      return rows.map(readDistinctId)
    },
    async distinctIdsOf(datasetId, personKeys) {
      const rows = await inLists(personKeys, (some) =>
        db
          .selectFrom('identity_distinct_ids')
          .selectAll()
          .where('dataset_id', '=', datasetId)
          .where('person_key', 'in', some)
          .execute(),
      )
      return rows.map(readDistinctId)
    },
    async groups(datasetId, keys) {
      const rows = await inLists(keys, (some) =>
        db
          .selectFrom('identity_groups')
          .selectAll()
          .where('dataset_id', '=', datasetId)
          .where('group_key', 'in', some)
          .execute(),
      )
      return rows.map(readGroup)
    },

    async commands(datasetId, ids) {
      const rows = await inLists(ids, (some) =>
        db
          .selectFrom('identity_commands')
          .select('command_id')
          .where('dataset_id', '=', datasetId)
          .where('command_id', 'in', some)
          .execute(),
      )
      return new Set(rows.map(({ command_id }) => command_id))
    },

    async commit(claim, step, passing) {
      await metadata.transaction(async (inside) => {
        const tables = inside.withTables<IdentityTables>()
        await moveOn(tables, claim, step)
        for (const [datasetId, changes] of step.datasets) await writeDataset(tables, datasetId, changes)
        await insertAll(step.outbox, (rows) =>
          tables
            .insertInto('identity_outbox')
            .values(
              rows.map(({ seq, target, body, queuedAt }) => ({
                source_partition: claim.partition,
                seq,
                target,
                body,
                bytes: Buffer.byteLength(body),
                queued_at: queuedAt,
              })),
            )
            .execute(),
        )
        await passing?.()
      })
    },

    async pending(partition, rowsMax, bytesMax) {
      const sizes = await db
        .selectFrom('identity_outbox')
        .select(['seq', 'bytes'])
        .where('source_partition', '=', partition)
        .orderBy('seq')
        .limit(rowsMax)
        .execute()
      let bytes = 0
      const fitting = sizes.filter(({ bytes: one }, index) => {
        bytes += one
        return index === 0 || bytes <= bytesMax
      })
      const last = fitting.at(-1)
      if (last === undefined) return []
      const rows = await db
        .selectFrom('identity_outbox')
        .select(['seq', 'target', 'body', 'queued_at'])
        .where('source_partition', '=', partition)
        .where('seq', '<=', last.seq)
        .orderBy('seq')
        .execute()
      return rows.map(({ seq, target, body, queued_at }) => ({
        seq,
        target: target as OutboxTarget,
        body,
        queuedAt: queued_at,
      }))
    },
    async outbox(partition) {
      const rows = (order: 'asc' | 'desc') =>
        db
          .selectFrom('identity_outbox')
          .select(['seq', 'queued_at'])
          .where('source_partition', '=', partition)
          .orderBy('seq', order)
          .limit(1)
          .executeTakeFirst()
      const [oldest, newest] = [await rows('asc'), await rows('desc')]
      // Numbers have no gaps, and only the oldest are ever taken away: no need to count.
      return oldest && newest
        ? { rows: newest.seq - oldest.seq + 1, oldestAt: oldest.queued_at }
        : { rows: 0, oldestAt: null }
    },
    async told(partition, seq) {
      await db
        .deleteFrom('identity_outbox')
        .where('source_partition', '=', partition)
        .where('seq', '<=', seq)
        .execute()
    },

    ping: () => metadata.ping(),
    close: () => metadata.close(),
  }
}

/**
 * First in its transaction: the row stays locked to its end, so that whoever claims the partition waits, and whoever
 * has lost it changes no row.
 */
async function moveOn(tables: Queries, claim: Claim, step: Step): Promise<void> {
  const moved = await tables
    .updateTable('identity_partitions')
    .set({
      next_offset: step.next,
      sources: JSON.stringify(Object.fromEntries(step.sources)),
      ...(step.outbox.length > 0 && { outbox_seq: step.outbox.at(-1)?.seq as number }),
    })
    .where('source_partition', '=', claim.partition)
    .where('epoch', '=', claim.epoch)
    .executeTakeFirst()
  if (moved.numUpdatedRows !== 1n)
    throw new DependencyError(
      'metadata',
      'fenced',
      `Partition ${claim.partition} of the identity state has another owner.`,
    )
}

async function writeDataset(tables: Queries, datasetId: string, changes: DatasetChanges): Promise<void> {
  const { head, groupTypes } = changes
  await upsert(
    tables,
    'identity_datasets',
    ['dataset_id'],
    [
      {
        dataset_id: datasetId,
        version: head.version,
        changed_at: head.changedAt,
        group_types: JSON.stringify(groupTypes),
      },
    ],
  )
  const gone = [...changes.persons].filter(([, person]) => person === null).map(([key]) => key)
  await inLists(gone, (some) =>
    tables
      .deleteFrom('identity_persons')
      .where('dataset_id', '=', datasetId)
      .where('person_key', 'in', some)
      .execute(),
  )
  const persons = [...changes.persons.values()].filter((person) => person !== null)
  await upsert(
    tables,
    'identity_persons',
    ['dataset_id', 'person_key'],
    persons.map((person) => personRow(datasetId, person)),
  )
  await upsert(
    tables,
    'identity_distinct_ids',
    ['dataset_id', 'distinct_id'],
    [...changes.distinctIds.values()].map((distinctId) => distinctIdRow(datasetId, distinctId)),
  )
  await upsert(
    tables,
    'identity_groups',
    ['dataset_id', 'group_type_index', 'group_key'],
    changes.groups.map((group) => groupRow(datasetId, group)),
  )
  await insertAll(changes.commands, (ids) =>
    tables
      .insertInto('identity_commands')
      .values(ids.map((command_id) => ({ dataset_id: datasetId, command_id })))
      .execute(),
  )
}

async function upsert<T extends keyof IdentityTables>(
  tables: Queries,
  table: T,
  key: readonly (keyof IdentityTables[T] & string)[],
  rows: readonly Insertable<IdentityTables[T]>[],
): Promise<void> {
  await insertAll(rows, (some) => {
    const columns = Object.keys(some[0] as object).filter(
      (name) => !(key as readonly string[]).includes(name),
    )
    return tables
      .insertInto(table)
      .values(some)
      .onConflict((conflict) =>
        conflict
          .columns(key as never)
          .doUpdateSet(
            Object.fromEntries(columns.map((name) => [name, sql.ref(`excluded.${name}`)])) as never,
          ),
      )
      .execute()
  })
}

/** Asks with no more values in one statement than engines take. */
async function inLists<T, R>(
  values: readonly T[],
  ask: (some: readonly T[]) => Promise<readonly R[]>,
): Promise<R[]> {
  const found: R[] = []
  for (let from = 0; from < values.length; from += LIST_MAX)
    found.push(...(await ask(values.slice(from, from + LIST_MAX))))
  return found
}

async function insertAll<T>(
  rows: readonly T[],
  insert: (some: readonly T[]) => Promise<unknown>,
): Promise<void> {
  for (let from = 0; from < rows.length; from += LIST_MAX) await insert(rows.slice(from, from + LIST_MAX))
}

function readSources(json: string): Map<number, number> {
  return new Map(
    Object.entries(JSON.parse(json) as Record<string, number>).map(([partition, offset]) => [
      Number(partition),
      offset,
    ]),
  )
}
