import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import type { IdentityStore } from '../../services/identity/store/identity-store.ts'
import type { createMemoryTables } from '../services/identity/memory-tables.ts'
import type { Kernel } from './kernel.ts'
import type { CallErrors, SimulatedProcess } from './process.ts'

const STORE: CallErrors = { dependency: 'metadata', lost: 'unavailable', lostAnswer: 'timeout' }
const COMMIT: CallErrors = { dependency: 'metadata', lost: 'outcome_unknown', lostAnswer: 'outcome_unknown' }
const TABLES: CallErrors = { dependency: 'clickhouse', lost: 'unavailable', lostAnswer: 'timeout' }

/** The database of persons as one process sees it. */
export function processPersons(process: SimulatedProcess, store: IdentityStore): IdentityStore {
  const ask =
    <A extends readonly unknown[], T>(name: string, body: (...given: A) => Promise<T>) =>
    (...given: A) =>
      process.call(name, STORE, () => body(...given))
  return {
    claim: ask('claim', store.claim),
    datasets: ask('datasets', store.datasets),
    persons: ask('persons', store.persons),
    distinctIds: ask('distinct ids', store.distinctIds),
    distinctIdsOf: ask('distinct ids of persons', store.distinctIdsOf),
    groups: ask('groups', store.groups),
    commands: ask('commands', store.commands),
    commit: (claim, step, passing) =>
      process.call(`commit persons up to ${step.next} of ${claim.partition}`, COMMIT, () =>
        store.commit(claim, step, passing),
      ),
    pending: ask('pending', store.pending),
    outbox: ask('outbox', store.outbox),
    told: ask('told', store.told),
    ping: ask('ping', store.ping),
    close: async () => {},
  }
}

/** How late at most an insert comes whose sender gave it up, ms. */
const LATE_MS = 20_000

/** Tables of persons as one process sees them. What seems lost may be inserted long after. */
export function processTables(
  kernel: Kernel,
  process: SimulatedProcess,
  { clickhouse }: ReturnType<typeof createMemoryTables>,
): ClickHouse {
  return {
    async insert(table, format, body, settings) {
      let isArrived = false
      try {
        await process.call(`insert into ${table}`, TABLES, () => {
          isArrived = true
          return clickhouse.insert(table, format, body, settings)
        })
      } catch (error) {
        if (!isArrived && kernel.chance(0.5))
          kernel.at(kernel.between(50, LATE_MS), () => void clickhouse.insert(table, format, body, settings))
        throw error
      }
    },
    query: (sql, parameters) =>
      process.call('query', TABLES, () => clickhouse.query(sql, parameters)) as Promise<never>,
    command: (sql, parameters) => process.call('erase', TABLES, () => clickhouse.command(sql, parameters)),
    stream: () => Promise.reject(new Error('The stage streams nothing.')),
    ping: () => process.call('ping', TABLES, () => clickhouse.ping()),
    close: async () => {},
  }
}
