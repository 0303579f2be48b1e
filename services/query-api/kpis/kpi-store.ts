import { type RawBuilder, sql } from 'kysely'
import type { KpiRow } from '../../core/metadata/metadata-tables.ts'
import { invalidInput } from '../http/api-error.ts'
import { checkObject } from '../objects/check-object.ts'
import { createJournaledStore, type Writer } from '../objects/journaled-store.ts'
import { orderedBy, USUAL_ORDERS } from '../objects/list-store.ts'
import { type ObjectStore, type ObjectTable, type Transactions, within } from '../objects/object-store.ts'
import type { KPI_ORDERINGS } from './kpi-family.ts'

export const KPIS_MAX = 1_000

const ORDERS: Readonly<Record<(typeof KPI_ORDERINGS)[number], RawBuilder<unknown>>> = {
  order: sql`kpi_row, place, id`,
  '-order': sql`kpi_row DESC, place DESC, id DESC`,
  name: USUAL_ORDERS.name,
  '-name': USUAL_ORDERS['-name'],
  created_at: USUAL_ORDERS.created_at,
  '-created_at': USUAL_ORDERS['-created_at'],
}

const KIND: ObjectTable = {
  table: 'kpis',
  objectsMax: KPIS_MAX,
  order: orderedBy(ORDERS, 'order'),
  where: ({ insight }) => {
    if (!insight) return []
    if (!/^[1-9]\d{0,14}$/.test(insight)) throw invalidInput('insight', 'insight must be a number.')
    return [sql`insight = ${Number(insight)}`]
  },
}

/** By rows and places, unless a list asks for another order. */
export function createKpiStore(metadata: Transactions, writer: Writer): ObjectStore<KpiRow> {
  const storeOf = (on: Transactions) => createJournaledStore<KpiRow>(on, KIND, 'kpi', writer)

  async function checkInsight(on: Transactions, dataset: string, id: number | undefined): Promise<void> {
    if (id !== undefined) await checkObject(on.db, 'insight', dataset, id, 'insight')
  }

  return {
    ...storeOf(metadata),
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
