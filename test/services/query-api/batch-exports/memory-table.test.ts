import { destinationTableContract } from '../../../contract/destination-table.ts'
import { createMemoryTables } from '../../../helpers/memory-table.ts'

destinationTableContract('in memory', async () => {
  const { open, tables } = createMemoryTables()
  const address = {
    host: 'db',
    port: 5432,
    ssl_mode: 'disable' as const,
    database: 'd',
    user: 'u',
    password: 'p',
    schema: 'public',
    table_name: 'events',
  }
  const only = () => [...tables.values()][0]
  return {
    open: () => open(address),
    rows: async () =>
      [...(only()?.rows ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row),
    loads: async () =>
      [...(only()?.loads ?? [])]
        .map(([batch, counts]) => ({ batch, ...counts }))
        .toSorted((a, b) => (a.batch < b.batch ? -1 : 1)),
  }
})
