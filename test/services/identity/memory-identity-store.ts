import { DependencyError } from '../../../services/core/runtime/errors.ts'
import type { DistinctId, Group, Person } from '../../../services/identity/persons/person.ts'
import type {
  Claim,
  IdentityStore,
  OutboxRow,
  StoredDataset,
} from '../../../services/identity/store/identity-store.ts'

/** What one commit meets. */
export type CommitFate = 'failed' | 'answer_lost'

interface PartitionState extends Claim {
  readonly topicId: string
}

interface DatasetPersons {
  readonly persons: Map<string, Person>
  readonly distinctIds: Map<string, DistinctId>
  readonly groups: Map<string, Group>
  readonly commands: Set<string>
}

export interface MemoryIdentityStore extends IdentityStore {
  /** What next commits meet, one after the other. */
  readonly commitFates: CommitFate[]
  /** Every person of a dataset. */
  personsOf(datasetId: string): readonly Person[]
  /** Every distinct id of a dataset that was ever seen. */
  idsOf(datasetId: string): readonly DistinctId[]
  /** Rows of all partitions that were not told yet. */
  untold(): number
  /** The next offset of a partition to be read; 0 when nothing was ever read. */
  nextOf(partition: number): number
}

/**
 * The identity state in memory.
 *
 * @param onCall called as every operation starts, with its name: a test waits, fails or kills there
 */
export function createMemoryIdentityStore(
  onCall: (operation: string) => Promise<void> = async () => {},
): MemoryIdentityStore {
  const partitions = new Map<number, PartitionState>()
  const datasets = new Map<string, StoredDataset>()
  const persons = new Map<string, DatasetPersons>()
  const outboxes = new Map<number, OutboxRow[]>()
  const commitFates: CommitFate[] = []
  let closed = false

  function of(datasetId: string): DatasetPersons {
    const found = persons.get(datasetId) ?? {
      persons: new Map(),
      distinctIds: new Map(),
      groups: new Map(),
      commands: new Set(),
    }
    persons.set(datasetId, found)
    return found
  }
  const outboxOf = (partition: number) => outboxes.get(partition) ?? []
  const lost = () =>
    new DependencyError('metadata', 'outcome_unknown', 'The outcome of a commit is not known.')

  return {
    commitFates,
    personsOf: (datasetId) => [...of(datasetId).persons.values()],
    idsOf: (datasetId) => [...of(datasetId).distinctIds.values()],
    untold: () => [...outboxes.values()].reduce((sum, rows) => sum + rows.length, 0),
    nextOf: (partition) => partitions.get(partition)?.next ?? 0,
    async claim(partition, topicId, _owner) {
      await onCall('claim')
      const before = partitions.get(partition)
      if (before && before.topicId !== topicId)
        throw new DependencyError('metadata', 'corrupt', `The topic is ${topicId}, not ${before.topicId}.`)
      const claimed: PartitionState = {
        ...(before ?? { partition, topicId, next: null, outboxSeq: 0, sources: new Map() }),
        epoch: (before?.epoch ?? 0) + 1,
      }
      partitions.set(partition, claimed)
      return claimed
    },
    async datasets(datasetIds) {
      await onCall('datasets')
      return new Map(
        datasetIds.flatMap((id) => {
          const found = datasets.get(id)
          return found ? [[id, found] as const] : []
        }),
      )
    },
    async persons(datasetId, keys) {
      await onCall('persons')
      return keys.flatMap((key) => of(datasetId).persons.get(key) ?? [])
    },
    async distinctIds(datasetId, ids) {
      await onCall('distinctIds')
      return ids.flatMap((id) => of(datasetId).distinctIds.get(id) ?? [])
    },
    async distinctIdsOf(datasetId, personKeys) {
      await onCall('distinctIdsOf')
      const all = [...of(datasetId).distinctIds.values()]
      return all.filter(({ personKey }) => personKey !== null && personKeys.includes(personKey))
    },
    async groups(datasetId, keys) {
      await onCall('groups')
      return [...of(datasetId).groups.values()].filter(({ key }) => keys.includes(key))
    },
    async commands(datasetId, ids) {
      await onCall('commands')
      return new Set(ids.filter((id) => of(datasetId).commands.has(id)))
    },
    async commit(claim, step, passing) {
      await onCall('commit')
      await passing?.()
      const own = partitions.get(claim.partition)
      if (own?.epoch !== claim.epoch)
        throw new DependencyError('metadata', 'fenced', 'The partition has another owner.')
      const fate = commitFates.shift()
      if (fate === 'failed') throw lost()
      partitions.set(claim.partition, {
        ...own,
        next: step.next,
        sources: new Map(step.sources),
        outboxSeq: step.outbox.at(-1)?.seq ?? own.outboxSeq,
      })
      for (const [datasetId, changes] of step.datasets) {
        datasets.set(datasetId, { ...changes.head, groupTypes: [...changes.groupTypes] })
        const stored = of(datasetId)
        for (const [key, person] of changes.persons)
          if (person === null) stored.persons.delete(key)
          else stored.persons.set(key, person)
        for (const [id, distinctId] of changes.distinctIds) stored.distinctIds.set(id, distinctId)
        for (const id of changes.commands) stored.commands.add(id)
        for (const group of changes.groups) stored.groups.set(`${group.typeIndex}:${group.key}`, group)
      }
      outboxes.set(claim.partition, [...outboxOf(claim.partition), ...step.outbox])
      if (fate === 'answer_lost') throw lost()
    },
    async pending(partition, rowsMax, bytesMax) {
      await onCall('pending')
      let bytes = 0
      return outboxOf(partition)
        .slice(0, rowsMax)
        .filter(({ body }, index) => {
          bytes += Buffer.byteLength(body)
          return index === 0 || bytes <= bytesMax
        })
    },
    async outbox(partition) {
      const rows = outboxOf(partition)
      return { rows: rows.length, oldestAt: rows[0]?.queuedAt ?? null }
    },
    async told(partition, seq) {
      await onCall('told')
      outboxes.set(
        partition,
        outboxOf(partition).filter((row) => row.seq > seq),
      )
    },
    async ping() {
      if (closed) throw new DependencyError('metadata', 'unavailable', 'The store is closed.')
    },
    async close() {
      closed = true
    },
  }
}
