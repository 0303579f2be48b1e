import fc from 'fast-check'
import type { IdentityEvent, IdentityRecord, PersonCommand } from '../../../../schemas/identity-record/v1.ts'

/** A step of a history: an event, or a command about the persons that these ids have by then. */
export type Step =
  | { readonly kind: 'event'; readonly event: IdentityEvent }
  | {
      readonly kind: 'command'
      readonly name: PersonCommand['name']
      readonly of: string
      readonly other: string
      readonly main: string | null
      /** Calls of the same number are the same call, made again. */
      readonly call?: number
      readonly value: number
      readonly time: number
    }

export const IDS = ['a', 'b', 'c', 'd', 'e'] as const
const anyId = fc.constantFrom(...IDS, 'null', 'Guest', '0', 'x\u0001y')
const somebody = fc.constantFrom(...IDS)
/** Mostly somebody: what is refused is the exception. */
const id = fc.oneof({ weight: 8, arbitrary: somebody }, { weight: 1, arbitrary: anyId })
const properties = fc.dictionary(
  fc.constantFrom('p', 'q', '__proto__', 'r'),
  fc.integer({ min: 0, max: 2 }),
  {
    noNullPrototype: false,
  },
)
const initial = fc.dictionary(
  fc.constantFrom('$initial_browser', '$initial_os', '$initial_gclid', '$initial_fbclid'),
  fc.constantFrom('x', 'y'),
  { noNullPrototype: false },
)
const sometimes = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 })

const event = fc
  .record({
    distinct_id: id,
    merge: sometimes(
      fc.record({ by: fc.constantFrom('identify', 'alias', 'merge_dangerously'), other_id: id }),
    ),
    set: sometimes(properties),
    set_once: sometimes(properties),
    unset: sometimes(fc.subarray(['p', 'q', '$initial_os'])),
    initial: sometimes(initial),
    group_types: sometimes(fc.subarray(['t1', 't2', 't3', 't4', 't5', 't6', ''], { maxLength: 5 })),
    group: fc.option(
      fc.record({
        type: fc.constantFrom('t1', 't6', 't7', ''),
        key: fc.constantFrom('k', ''),
        set: properties,
      }),
      { nil: undefined, freq: 3 },
    ),
    no_profile: fc.option(fc.constant(true as const), { nil: undefined, freq: 15 }),
    event_time: fc.integer({ min: 0, max: 50 }),
    collector_time: fc.integer({ min: 0, max: 100 }),
  })
  .map((made): IdentityEvent => {
    const present = Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined))
    return {
      v: 1,
      kind: 'event',
      dataset_id: 'shop',
      event_id: 'e',
      event: 'x',
      src_partition: 0,
      src_offset: 0,
      ...(present as Pick<IdentityEvent, 'distinct_id' | 'event_time' | 'collector_time'>),
    }
  })

export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: event.map((made) => ({ kind: 'event' as const, event: made })) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('command' as const),
      name: fc.constantFrom('set', 'replace', 'unset', 'merge', 'split', 'delete', 'delete_events'),
      of: somebody,
      other: somebody,
      main: fc.option(somebody, { nil: null }),
      value: fc.integer({ min: 0, max: 2 }),
      time: fc.integer({ min: 0, max: 100 }),
      call: fc.integer({ min: 0, max: 50 }),
    }),
  },
)

function commandOf(made: Extract<Step, { kind: 'command' }>, keyOf: (id: string) => string): PersonCommand {
  const person_key = keyOf(made.of)
  switch (made.name) {
    case 'set':
      return { name: 'set', person_key, properties: { p: made.value } }
    case 'replace':
      return { name: 'replace', person_key, properties: { q: made.value } }
    case 'unset':
      return { name: 'unset', person_key, keys: ['p', 'q'] }
    case 'merge':
      return { name: 'merge', person_key, other_person_key: keyOf(made.other) }
    case 'split':
      return { name: 'split', person_key, main_distinct_id: made.main }
    case 'delete':
      return { name: 'delete', person_key, ...(made.value === 0 ? {} : { delete_events: true }) }
    case 'delete_events':
      return { name: 'delete_events', person_key }
  }
}

/** The record of a step, where persons are named as one side names them. */
export function recordOf(made: Step, keyOf: (id: string) => string): IdentityRecord {
  if (made.kind === 'event') return made.event
  return {
    v: 1,
    kind: 'command',
    dataset_id: 'shop',
    event_id: `call-${made.call ?? 0}`,
    collector_time: made.time,
    actor: 'ann',
    command: commandOf(made, keyOf),
  }
}
