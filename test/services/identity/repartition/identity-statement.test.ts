import { expect, test } from 'vitest'
import type { EnrichedEvent } from '../../../../schemas/enriched-event/v1.ts'
import { ID_LENGTH_MAX } from '../../../../services/identity/persons/distinct-id-rules.ts'
import { identityStatement } from '../../../../services/identity/repartition/identity-statement.ts'
import { enriched } from './enriched.ts'

/** What is said beyond the envelope. */
function said(given: Partial<EnrichedEvent>): unknown {
  const stated = identityStatement(enriched(given))
  if (typeof stated === 'string') return stated
  const {
    v,
    kind,
    dataset_id,
    event_id,
    event,
    event_time,
    collector_time,
    src_partition,
    src_offset,
    ...rest
  } = stated.record
  return stated.isStatement ? rest : { ...rest, onlySeen: true }
}
const segment = (type: string) => ({ context: { segment: { type } } })

test('the envelope names the event as every other place names it', () => {
  const stated = identityStatement(enriched())
  expect(stated).toEqual({
    isStatement: false,
    record: {
      v: 1,
      kind: 'event',
      dataset_id: 'shop',
      event_id: 'e1',
      event: 'view',
      event_time: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
      collector_time: Date.UTC(2026, 0, 2, 3, 4, 6),
      src_partition: 2,
      src_offset: 40,
      distinct_id: 'ann',
    },
  })
})

test('properties of every protocol are read, and those at the top of the event win', () => {
  expect(
    said({
      properties: { $set: { a: 1, b: 1, c: 1 }, $set_once: { d: 1, e: 1 }, $unset: ['x', 5] },
      extra: { $set: { b: 2, c: 2 }, $set_once: { e: 2 }, $unset: ['y'], unset: ['z'] },
      set: { c: 3 },
      set_once: { f: 3 },
    }),
  ).toEqual({
    distinct_id: 'ann',
    set: { a: 1, b: 2, c: 3 },
    set_once: { d: 1, e: 2, f: 3 },
    unset: ['x', 'y', 'z'],
  })
})

test.each([
  ['$identify', { properties: { $anon_distinct_id: 'anon' } }, { by: 'identify', other_id: 'anon' }],
  ['$identify', { properties: {} }, undefined],
  ['$identify', { properties: { $anon_distinct_id: null } }, undefined],
  ['$create_alias', { properties: { alias: 7 } }, { by: 'alias', other_id: '7' }],
  [
    '$merge_dangerously',
    { properties: { alias: {} } },
    { by: 'merge_dangerously', other_id: '[object Object]' },
  ],
  [
    'identify',
    { extra: segment('identify'), user_id: 'ann', anonymous_id: 'anon' },
    { by: 'identify', other_id: 'anon' },
  ],
  ['identify', { extra: segment('identify'), user_id: null, anonymous_id: 'anon' }, undefined],
  ['identify', { extra: segment('track'), user_id: 'ann', anonymous_id: 'anon' }, undefined],
  ['identify', { user_id: 'ann', anonymous_id: 'anon' }, undefined],
  [
    'alias',
    { extra: segment('alias'), properties: { previous_id: 'old' } },
    { by: 'alias', other_id: 'old' },
  ],
  ['view', { properties: { alias: 'x', $anon_distinct_id: 'y' } }, undefined],
] as const)('%s with %j says the merge %j', (event, given, merge) => {
  expect((said({ event, ...given }) as { merge?: unknown }).merge).toEqual(merge)
})

test('an id that is too long is cut to where the rules can tell that it is', () => {
  const { merge } = said({ event: '$create_alias', properties: { alias: 'x'.repeat(10_000) } }) as {
    merge: { other_id: string }
  }
  expect(merge.other_id).toHaveLength(ID_LENGTH_MAX + 1)
})

test('groups are described by two kinds of events, and named by all', () => {
  expect(
    said({
      event: '$groupidentify',
      properties: { $group_type: 'company', $group_key: 5, $group_set: { size: 3 } },
    }),
  ).toEqual({ distinct_id: 'ann', group: { type: 'company', key: '5', set: { size: 3 } } })
  expect(
    said({ event: 'group', extra: segment('group'), groups: { group: 'acme' }, properties: { plan: 'pro' } }),
  ).toEqual({
    distinct_id: 'ann',
    group: { type: 'group', key: 'acme', set: { plan: 'pro' } },
    group_types: ['group'],
  })
  expect(said({ groups: { company: 'acme' }, properties: { $groups: { team: 't', company: 'x' } } })).toEqual(
    {
      distinct_id: 'ann',
      group_types: ['company', 'team'],
      onlySeen: true,
    },
  )
  expect(
    said({ event: '$groupidentify', distinct_id: null, properties: { $group_type: 'company' } }),
  ).toEqual({
    distinct_id: '',
    group: { type: 'company', key: '', set: {} },
  })
})

test('first-touch properties come from the columns that say where a visitor came from and with what', () => {
  expect(
    said({ browser: 'Firefox', utm_source: 'news', click_id: 'abc', click_id_type: 'gclid', os: '' }),
  ).toEqual({
    distinct_id: 'ann',
    initial: { $initial_browser: 'Firefox', $initial_utm_source: 'news', $initial_gclid: 'abc' },
    onlySeen: true,
  })
})

test('nobody is said anything of without a name, or where no profile is wanted', () => {
  const properties = { $process_person_profile: false, $set: { a: 1 } }
  expect(said({ distinct_id: null, set: { a: 1 } })).toBe('no_distinct_id')
  expect(said({ distinct_id: 'a\u0001b' })).toBe('unnameable')
  expect(said({ properties })).toBe('no_profile')
  expect(said({ event: '$identify', properties: { ...properties, $anon_distinct_id: 'anon' } })).toEqual({
    distinct_id: 'ann',
    merge: { by: 'identify', other_id: 'anon' },
    no_profile: true,
  })
})
