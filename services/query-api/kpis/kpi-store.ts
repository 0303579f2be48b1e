import { type RawBuilder, sql } from 'kysely'
import type { KpiRow } from '../../core/metadata/metadata-tables.ts'
import { invalidInput } from '../http/api-error.ts'
import { checkObject } from '../objects/check-object.ts'
import { createJournaledStore, type Writer } from '../objects/journaled-store.ts'
import {
  type ListFilters,
  type ObjectStore,
  type ObjectTable,
  type Transactions,
  within,
} from '../objects/object-store.ts'
import type { KPI_ORDERINGS } from './kpi-family.ts'

export const KPIS_MAX = 1_000

const ORDERS: Readonly<Record<(typeof KPI_ORDERINGS)[number], RawBuilder<unknown>>> = {
  order: sql`kpi_row, place, id`,
  '-order': sql`kpi_row DESC, place DESC, id DESC`,
  name: sql`lower(name), id`,
  '-name': sql`lower(name) DESC, id DESC`,
  created_at: sql`created_at, id`,
  '-created_at': sql`created_at DESC, id DESC`,
}

/** By rows and places, unless a list asks for another order. */
export function createKpiStore(metadata: Transactions, writer: Writer): ObjectStore<KpiRow> {
  const storeOf = (on: Transactions, order: RawBuilder<unknown> = ORDERS.order) =>
    createJournaledStore<KpiRow>(on, tableOf(order), 'kpi', writer)
  const plain = storeOf(metadata)

  async function checkInsight(on: Transactions, dataset: string, id: number | undefined): Promise<void> {
    if (id !== undefined) await checkObject(on.db, 'insight', dataset, id, 'insight')
  }

  return {
    ...plain,
    list: (dataset, filters, page) => storeOf(metadata, orderOf(filters)).list(dataset, filters, page),
    create: (dataset, columns, atMs, by) =>
      metadata.transaction(async (db) => {
        await checkInsight(within(db), dataset, columns.insight)
        return storeOf(within(db)).create(dataset, columns, atMs, by)
      }),
    update: (dataset, id, change, atMs, seenMs) =>
      metadata.transaction(async (db) => {
        await checkInsight(within(db), dataset, change.insight)
        return storeOf(within(db)).update(dataset, id, change, atMs, seenMs)
      }),
  }
}

function tableOf(order: RawBuilder<unknown>): ObjectTable {
  return {
    table: 'kpis',
    objectsMax: KPIS_MAX,
    order,
    where: ({ insight }) => {
      if (!insight) return []
      if (!/^[1-9]\d{0,14}$/.test(insight)) throw invalidInput('insight', 'insight must be a number.')
      return [sql`insight = ${Number(insight)}`]
    },
  }
}

/** @throws ApiError 400 */
function orderOf({ ordering }: ListFilters): RawBuilder<unknown> {
  const name = ordering ?? 'order'
  const found = Object.entries(ORDERS).find(([one]) => one === name)
  if (found !== undefined) return found[1]
  throw invalidInput('ordering', `ordering must be one of ${Object.keys(ORDERS).join(', ')}.`)
}
