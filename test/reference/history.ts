/** What happened to one dataset: everything that a question can be about, as plain values. */
export interface History {
  readonly dataset: string
  readonly zone: string
  readonly events: readonly Happening[]
  /** Distinct ids that belong to another person than the one named like them; the highest version holds. */
  readonly overrides: readonly { readonly id: string; readonly person: string; readonly version: number }[]
  readonly persons: readonly PersonState[]
  readonly groupTypes: readonly { readonly name: string; readonly index: number }[]
  readonly groups: readonly GroupState[]
  /** Range of the question: a session is what its events are from a day before to a day after it. */
  readonly askedRange?: { readonly fromMs: number; readonly toMs: number }
}

/** Of a history that is nothing but its events. */
export const EVENTS_ALONE = { overrides: [], persons: [], groupTypes: [], groups: [] } as const

export type Properties = Readonly<Record<string, unknown>>

export interface Happening {
  readonly event: string
  readonly distinctId: string | null
  readonly timeMs: number
  /** Partition and offset: the order in which it was received, among events of the same time. */
  readonly partition: number
  readonly offset: number
  readonly session: string | null
  readonly groups: Readonly<Record<string, string>>
  readonly url: string | null
  readonly properties: Properties
  /** Further columns of the stored event, for tests that look at them by hand: the reference knows none. */
  readonly columns?: Properties
}

/** One state of a person; the highest version holds now, and from `validFromMs` on the next one. */
export interface PersonState {
  readonly person: string
  readonly properties: Properties
  readonly createdMs: number
  readonly isDeleted: boolean
  readonly version: number
  readonly validFromMs: number
}

export interface GroupState {
  readonly index: number
  readonly key: string
  readonly properties: Properties
  readonly version: number
}

/** A value as text, as JSON writes it; nothing where it is not set. */
export const textOf = (value: unknown): string =>
  value === undefined || value === null ? '' : typeof value === 'string' ? value : JSON.stringify(value)

/** Everybody's events in the one order that holds everywhere: time, then the order of receipt. */
export function inOrder(events: readonly Happening[]): Happening[] {
  return [...events].sort((a, b) => a.timeMs - b.timeMs || a.partition - b.partition || a.offset - b.offset)
}

/** The person of an event as merges are now; null for an event of nobody. */
export function personOf(history: History, { distinctId }: Happening): string | null {
  if (distinctId === null) return null
  const moved = history.overrides
    .filter(({ id }) => id === distinctId)
    .sort((a, b) => b.version - a.version)[0]
  return moved === undefined ? distinctId : moved.person
}

/** The group of an event, of the type with that index; null where it has none. */
export function groupOf(history: History, event: Happening, index: number): string | null {
  const type = history.groupTypes.find((one) => one.index === index)
  return type === undefined ? null : event.groups[type.name] || null
}

/** Who acts: persons, or groups of a type. */
export function actorOf(history: History, event: Happening, groupType: number | null): string | null {
  return groupType === null ? personOf(history, event) : groupOf(history, event, groupType)
}

export function personNow(history: History, person: string | null): PersonState | null {
  const states = history.persons.filter((state) => state.person === person)
  const newest = states.sort((a, b) => b.version - a.version)[0]
  return newest === undefined || newest.isDeleted ? null : newest
}

/** Overrides hold from ever on in these histories, so only properties differ. Arrival and event time are the same. */
export function propertiesThen(history: History, event: Happening): Properties {
  const person = personOf(history, event)
  const before = history.persons
    .filter((state) => state.person === person && state.validFromMs <= event.timeMs)
    .sort((a, b) => b.validFromMs - a.validFromMs || b.version - a.version)[0]
  return before?.properties ?? {}
}

export function groupNow(history: History, index: number, key: string | null): GroupState | null {
  const states = history.groups.filter((state) => state.index === index && state.key === key)
  return states.sort((a, b) => b.version - a.version)[0] ?? null
}
