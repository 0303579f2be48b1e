import type {
  IdentityEvent,
  IdentityGroup,
  IdentityRecord,
  PersonCommand,
} from '../../../../schemas/identity-record/v1.ts'

/**
 * Persons as the rules are told to people, in the slowest and most obvious way: a list of persons, each with a list of
 * its ids, searched from the beginning every time. It shares no code with the stage.
 */
export interface ModelPerson {
  key: string
  /** In the order in which they were first seen. */
  ids: string[]
  properties: Map<string, unknown>
  createdAt: number
  identified: boolean
}

export class ReferenceModel {
  persons: ModelPerson[] = []
  /** `<change> <reason> <person> <other>`, one line per change or refusal. */
  history: string[] = []
  groupTypes: string[] = []
  groups = new Map<string, Map<string, unknown>>()
  /** `<distinct id> <until>`, in order. */
  deletedEvents: string[] = []
  #calls: string[] = []
  #firstSeen: string[] = []
  #given: Record<string, string[]> = {}
  #deletedAt: Record<string, number> = {}
  #names = 0
  #arrival = 0
  /** Latest arrival of what changed something. */
  #latest = 0

  personOf(id: string): ModelPerson | undefined {
    return this.persons.find((person) => person.ids.includes(id))
  }

  apply(record: IdentityRecord): void {
    this.#arrival = record.collector_time
    if (record.kind === 'event') this.#event(record)
    else this.#command(record)
  }

  #say(change: string, reason: string, person: string, other = ''): void {
    this.#latest = Math.max(this.#latest, this.#arrival)
    this.history.push(`${change} ${reason} ${plain(person)} ${plain(other)}`)
  }

  #event(e: IdentityEvent): void {
    const id = e.distinct_id
    const other = e.merge?.other_id
    let refused = ''
    if (e.no_profile) refused = 'no_person_profile'
    else if (!nameable(id)) refused = 'cannot_merge_with_illegal_distinct_id'
    else if (this.#isDeletedFor(id, e.collector_time)) refused = 'deleted_later'
    else if (other !== undefined && this.#isDeletedFor(other, e.collector_time)) refused = 'deleted_later'
    if (refused !== '') {
      const person = this.personOf(id)
      if (e.merge) this.#say('merge_refused', refused, person?.key ?? '', other)
      else if (e.set || e.set_once || e.unset) this.#say('set_refused', refused, person?.key ?? '')
    } else this.#person(e)
    this.#group(e)
  }

  #person(e: IdentityEvent): void {
    const id = e.distinct_id
    const mine = this.personOf(id)
    const lines: [change: string, reason: string, other?: string][] = []
    let person = mine
    let swallowed: ModelPerson | undefined
    let refusal = ''
    let identifies = false
    const reason = e.merge?.by ?? 'first_event'

    if (e.merge && e.merge.other_id !== id) {
      const theirs = this.personOf(e.merge.other_id)
      if (!legal(id) || !legal(e.merge.other_id)) {
        refusal = 'cannot_merge_with_illegal_distinct_id'
      } else {
        identifies = true
        if (!mine && theirs) person = theirs
        else if (mine && theirs && mine !== theirs) {
          if (theirs.identified && e.merge.by !== 'merge_dangerously')
            refusal = 'cannot_merge_already_identified'
          else swallowed = theirs
        }
      }
    }
    if (!person) {
      person = {
        key: this.#freeKey(id),
        ids: [],
        properties: new Map(),
        createdAt: e.event_time,
        identified: false,
      }
      this.persons.push(person)
      lines.push(['created', reason])
      person.ids.push(id)
    } else if (!person.ids.includes(id)) {
      lines.push(['attached', reason])
      person.ids.push(id)
    }
    if (identifies && refusal === '' && !swallowed && !this.personOf(e.merge!.other_id)) {
      lines.push(['attached', reason])
      person.ids.push(e.merge!.other_id)
    }
    for (const each of person.ids) if (!this.#firstSeen.includes(each)) this.#firstSeen.push(each)
    if (swallowed) {
      this.persons = this.persons.filter((each) => each !== swallowed)
      person.ids = this.#inOrder([...person.ids, ...swallowed.ids])
      person.properties = new Map([...swallowed.properties, ...person.properties])
      person.createdAt = Math.min(person.createdAt, swallowed.createdAt)
      lines.push(['merged', reason, swallowed.key])
    }
    person.ids = this.#inOrder(person.ids)
    const properties = new Map(person.properties)
    const given = this.#given[id] ?? []
    this.#given[id] = given
    const initial: [string, unknown][] = []
    for (const [name, value] of Object.entries(e.initial ?? {})) {
      const once = name.endsWith('clid') ? 'click' : name
      if (!given.includes(once)) initial.push([name, value])
    }
    for (const name of Object.keys(e.initial ?? {})) given.push(name.endsWith('clid') ? 'click' : name)
    for (const [name, value] of new Map([...initial, ...Object.entries(e.set_once ?? {})]))
      if (!properties.has(name)) properties.set(name, value)
    for (const [name, value] of Object.entries(e.set ?? {})) properties.set(name, value)
    for (const name of e.unset ?? []) properties.delete(name)
    const changed = !same(properties, person.properties)
    person.properties = properties
    if (lines.length === 0 && identifies && !person.identified) lines.push(['identified', reason])
    if (lines.length === 0 && changed) lines.push(['set', 'properties'])
    person.identified ||= identifies

    for (const [change, why, other] of lines) {
      this.#say(change, why, person.key, other)
      if (swallowed) this.#say('swallowed', why, swallowed.key, person.key)
    }
    if (refusal !== '')
      this.#say(
        'merge_refused',
        refusal,
        person.key,
        this.personOf(e.merge!.other_id)?.key ?? e.merge!.other_id,
      )
  }

  #group(e: IdentityEvent): void {
    const key = this.personOf(e.distinct_id)?.key ?? ''
    if (e.no_profile) {
      if (e.group) this.#say('group_refused', 'no_person_profile', key)
      return
    }
    for (const type of e.group_types ?? [])
      if (!this.groupTypes.includes(type) && this.groupTypes.length < 5 && type !== '')
        this.groupTypes.push(type)
    if (!e.group) return
    const refused = this.#groupRefusal(e.group)
    if (refused !== '') {
      this.#say('group_refused', refused, key)
      return
    }
    if (!this.groupTypes.includes(e.group.type)) this.groupTypes.push(e.group.type)
    const name = `${this.groupTypes.indexOf(e.group.type)}:${e.group.key}`
    this.groups.set(name, new Map([...(this.groups.get(name) ?? []), ...Object.entries(e.group.set)]))
  }

  #groupRefusal({ type, key }: IdentityGroup): string {
    if (type === '' || key === '') return 'illegal_group'
    return this.groupTypes.includes(type) || this.groupTypes.length < 5 ? '' : 'too_many_group_types'
  }

  #command({ command, collector_time, event_id }: Extract<IdentityRecord, { kind: 'command' }>): void {
    if (this.#calls.includes(event_id)) return
    this.#calls.push(event_id)
    const person = this.persons.find(({ key }) => key === command.person_key)
    const other = command.name === 'merge' ? command.other_person_key : ''
    const refusal = this.#commandRefusal(command, person)
    if (refusal !== '' || !person) {
      this.#say('command_refused', refusal, command.person_key, other)
      return
    }
    if (command.name === 'set' || command.name === 'unset' || command.name === 'replace') {
      const set = command.name === 'unset' ? [] : Object.entries(command.properties)
      const properties = new Map(command.name === 'replace' ? set : [...person.properties, ...set])
      if (command.name === 'unset') for (const name of command.keys) properties.delete(name)
      if (!same(properties, person.properties)) this.#say('set', 'call', person.key)
      person.properties = properties
    } else if (command.name === 'merge') {
      const swallowed = this.persons.find(({ key }) => key === other) as ModelPerson
      if (swallowed === person) return
      this.persons = this.persons.filter((each) => each !== swallowed)
      person.ids = this.#inOrder([...person.ids, ...swallowed.ids])
      person.properties = new Map([...swallowed.properties, ...person.properties])
      person.createdAt = Math.min(person.createdAt, swallowed.createdAt)
      person.identified = true
      this.#say('merged', 'call', person.key, swallowed.key)
      this.#say('swallowed', 'call', swallowed.key, person.key)
    } else if (command.name === 'split') {
      const main = command.main_distinct_id
      const stays = main ?? (person.ids.includes(person.key) ? person.key : person.ids[0]!)
      const leaving = person.ids.filter((id) => id !== stays)
      const clears = main === null && person.properties.size > 0
      if (leaving.length === 0 && !clears) return
      person.ids = [stays]
      if (main === null) person.properties = new Map()
      this.#say('split', 'call', person.key)
      for (const id of leaving) {
        const key = this.#freeKey(id)
        this.persons.push({
          key,
          ids: [id],
          properties: new Map(),
          createdAt: this.#latest,
          identified: false,
        })
        this.#say('split_off', 'call', key, person.key)
      }
    } else if (command.name === 'delete_events') {
      this.#deleteEvents(person, collector_time)
    } else {
      this.persons = this.persons.filter((each) => each !== person)
      for (const id of person.ids) {
        this.#deletedAt[id] = collector_time
        this.#given[id] = []
      }
      this.#say('deleted', 'call', person.key)
      if (command.delete_events) this.#deleteEvents(person, collector_time)
    }
  }

  #deleteEvents(person: ModelPerson, time: number): void {
    this.#say('events_deleted', 'call', person.key)
    for (const id of person.ids) this.deletedEvents.push(`${id} ${time}`)
  }

  #commandRefusal(command: PersonCommand, person: ModelPerson | undefined): string {
    if (!person) return 'no_such_person'
    if (command.name === 'merge' && !this.persons.some(({ key }) => key === command.other_person_key))
      return 'no_such_person'
    const main = command.name === 'split' ? command.main_distinct_id : null
    return main !== null && !person.ids.includes(main) ? 'no_such_distinct_id' : ''
  }

  #isDeletedFor(id: string, time: number): boolean {
    return !this.personOf(id) && time <= (this.#deletedAt[id] ?? Number.NEGATIVE_INFINITY)
  }

  #inOrder(ids: readonly string[]): string[] {
    return [...ids].sort((a, b) => this.#firstSeen.indexOf(a) - this.#firstSeen.indexOf(b))
  }

  #freeKey(id: string): string {
    return this.persons.some(({ key }) => key === id) ? `${id}\u0001${++this.#names}` : id
  }
}

/** Keys that had to be made differ in their numbers only. */
export function plain(key: string): string {
  const [id, number] = key.split('\u0001')
  return number === undefined || Number.isNaN(Number(number)) ? key : `${id}+`
}

function nameable(id: string): boolean {
  return id !== '' && !id.includes('\u0000') && !id.includes('\u0001') && id.length <= 400
}

function legal(id: string): boolean {
  const anyCase = 'anonymous guest distinctid distinct_id id not_authenticated email undefined true false'
  const exact = ['[object Object]', 'NaN', 'None', 'none', 'null', '0']
  return (
    nameable(id) && id.trim() !== '' && !anyCase.split(' ').includes(id.toLowerCase()) && !exact.includes(id)
  )
}

function same(one: Map<string, unknown>, other: Map<string, unknown>): boolean {
  const sorted = (each: Map<string, unknown>) =>
    JSON.stringify([...each].sort(([a], [b]) => (a < b ? -1 : 1)))
  return sorted(one) === sorted(other)
}
