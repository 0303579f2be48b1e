import type {
  Belonging,
  DatasetHead,
  DistinctId,
  Erasure,
  EventDeletion,
  Group,
  HistoryRow,
  KnownPersons,
  Person,
} from './person.ts'

/** What is to be written after a number of records: the newest of every state, and every line of history. */
export interface DatasetChanges {
  readonly head: DatasetHead
  /** Null: the person is no more. */
  readonly persons: ReadonlyMap<string, Person | null>
  /** Versions of persons that are no more. */
  readonly removed: ReadonlyMap<string, number>
  readonly distinctIds: ReadonlyMap<string, DistinctId>
  readonly groups: readonly Group[]
  /** Kinds of groups in the order of their indexes. */
  readonly groupTypes: readonly string[]
  /** Those that are new, with the version of each. */
  readonly newGroupTypes: readonly {
    readonly type: string
    readonly index: number
    readonly version: number
  }[]
  readonly history: readonly HistoryRow[]
  readonly belongings: readonly Belonging[]
  readonly erasures: readonly Erasure[]
  readonly eventDeletions: readonly EventDeletion[]
  /** Ids of commands that are done with. */
  readonly commands: readonly string[]
}

/** The persons of one dataset while records are applied to them: what was known, and what has changed since. */
export interface DatasetState extends KnownPersons {
  /** The next version; every line of history has its own. */
  nextVersion(): number
  /** Moves the time of changes on. @returns the arrival time, or that of the change before where that is later */
  changeAt(collectorTime: number): number
  putPerson(person: Person): void
  removePerson(key: string, version: number): void
  /** A row that changes nothing readers see (`version` as before) is kept, and not told to anybody. */
  putDistinctId(distinctId: DistinctId): void
  putGroup(group: Group): void
  /** @returns its index */
  addGroupType(type: string, version: number): number
  note(row: HistoryRow): void
  noteBelonging(belonging: Belonging): void
  erase(erasure: Erasure): void
  deleteEvents(deletion: EventDeletion): void
  addCommand(id: string): void
  changes(): DatasetChanges
}

export function createDatasetState(known: KnownPersons): DatasetState {
  const persons = new Map<string, Person | null>()
  const removed = new Map<string, number>()
  const distinctIds = new Map<string, DistinctId>()
  const groups = new Map<string, Group>()
  const types = [...known.groupTypes]
  const newTypes: { type: string; index: number; version: number }[] = []
  const history: HistoryRow[] = []
  const belongings: Belonging[] = []
  const erasures: Erasure[] = []
  const eventDeletions: EventDeletion[] = []
  const commands = new Set<string>()
  let { version, changedAt } = known.head

  return {
    get head() {
      return { version, changedAt }
    },
    get groupTypes() {
      return types
    },
    person(key) {
      const changed = persons.get(key)
      return changed === undefined ? known.person(key) : changed
    },
    distinctId: (id) => distinctIds.get(id) ?? known.distinctId(id),
    distinctIdsOf(personKey) {
      const before = known.distinctIdsOf(personKey).filter(({ id }) => !distinctIds.has(id))
      const now = [...distinctIds.values()].filter((each) => each.personKey === personKey)
      return [...before, ...now].sort((a, b) => a.seen - b.seen)
    },
    group: (typeIndex, key) => groups.get(groupName(typeIndex, key)) ?? known.group(typeIndex, key),
    hasCommand: (id) => commands.has(id) || known.hasCommand(id),

    nextVersion: () => ++version,
    changeAt(collectorTime) {
      changedAt = Math.max(changedAt, collectorTime)
      return changedAt
    },
    putPerson(person) {
      persons.set(person.key, person)
      removed.delete(person.key)
    },
    removePerson(key, at) {
      persons.set(key, null)
      removed.set(key, at)
    },
    putDistinctId: (distinctId) => void distinctIds.set(distinctId.id, distinctId),
    putGroup: (group) => void groups.set(groupName(group.typeIndex, group.key), group),
    addGroupType(type, at) {
      const index = types.push(type) - 1
      newTypes.push({ type, index, version: at })
      return index
    },
    note: (row) => void history.push(row),
    noteBelonging: (belonging) => void belongings.push(belonging),
    erase: (erasure) => void erasures.push(erasure),
    deleteEvents: (deletion) => void eventDeletions.push(deletion),
    addCommand: (id) => void commands.add(id),
    changes: () => ({
      head: { version, changedAt },
      persons,
      removed,
      distinctIds,
      groups: [...groups.values()],
      groupTypes: types,
      newGroupTypes: newTypes,
      history,
      belongings,
      erasures,
      eventDeletions,
      commands: [...commands],
    }),
  }
}

function groupName(typeIndex: number, key: string): string {
  return `${typeIndex}:${key}`
}
