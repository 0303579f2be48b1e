import { DependencyError } from '../../services/core/runtime/errors.ts'
import type {
  DestinationTable,
  OpenDestinationTable,
  TableAddress,
} from '../../services/query-api/batch-exports/destination-table.ts'
import { storableJson } from '../../services/query-api/batch-exports/storable-json.ts'

export interface MemoryTables {
  readonly open: OpenDestinationTable
  /** Of each address that was connected to: the events by dataset and id, and the batches that are noted. */
  readonly tables: Map<string, MemoryTable>
  readonly addresses: TableAddress[]
  /** Called before every question; what it throws is what the question fails with. */
  onRequest: ((verb: 'prepare' | 'load' | 'commit' | 'committed') => void) | null
}

export interface MemoryTable {
  readonly rows: Map<string, Record<string, unknown>>
  readonly loads: Map<string, { readonly delivered: number; readonly inserted: number }>
}

/** Tables in memory that keep to the same contract as those of PostgreSQL. */
export function createMemoryTables(): MemoryTables {
  const tables = new Map<string, MemoryTable>()
  const all: MemoryTables = {
    tables,
    addresses: [],
    onRequest: null,
    open(address) {
      all.addresses.push(address)
      const name = `${address.host}:${address.port}/${address.database}/${address.schema}.${address.table_name}`
      const own = () => {
        const there = tables.get(name) ?? { rows: new Map(), loads: new Map() }
        tables.set(name, there)
        return there
      }
      let isOpen = true
      const ask = (verb: Parameters<NonNullable<MemoryTables['onRequest']>>[0]) => {
        if (!isOpen) throw new DependencyError('destination', 'unavailable', 'It is closed.')
        all.onRequest?.(verb)
      }
      const table: DestinationTable = {
        async prepare() {
          ask('prepare')
          own()
        },
        async load({ delivery, source }, rows) {
          ask('load')
          const { rows: there, loads } = own()
          const batch = `${delivery}/${source.partition}/${source.start}`
          if (loads.has(batch)) return false
          ask('commit')
          let inserted = 0
          for (const text of rows) {
            const row = JSON.parse(storableJson(text)) as Record<string, unknown>
            const key = JSON.stringify([row.dataset_id, row.event_id])
            if (!there.has(key)) inserted++
            there.set(key, row)
          }
          loads.set(batch, { delivered: rows.length, inserted })
          ask('committed')
          return true
        },
        async close() {
          isOpen = false
        },
      }
      return table
    },
  }
  return all
}
