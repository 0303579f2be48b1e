import { expect, test } from 'vitest'
import { type MemberFaults, readMembers, unplacedMembers } from '../../../services/enricher/members.ts'

/** Builds `{a: {b: value}}` from `a.b`, and names the event. */
function eventWith(path: string, value: unknown): Record<string, unknown> {
  const inner = path.split('.').reduceRight<unknown>((held, name) => ({ [name]: held }), value)
  return { event: 'x', ...(inner as object) }
}

const TEXTS = [
  'distinct_id',
  'anonymous_id',
  'user_id',
  'session_id',
  'context.page.url',
  'context.page.title',
  'context.page.referrer',
  'context.screen_view.name',
  'context.app.name',
  'context.app.version',
  'context.library.name',
  'context.library.version',
  'context.campaign.source',
  'context.campaign.medium',
  'context.campaign.name',
  'context.campaign.term',
  'context.campaign.content',
  'context.locale',
  'context.timezone',
  'context.ip',
  'context.userAgent',
  'session.first_url',
  'session.first_referrer',
  'engagement.page_view_id',
  'engagement.video_id',
  'content.url',
  'content.title',
  'content.section',
  'revenue.currency',
  'timestamp',
]
const NUMBERS = [
  'offset_ms',
  'engagement.engaged_seconds',
  'revenue.amount',
  'context.screen.width',
  'context.screen.height',
  'context.screen.innerWidth',
  'context.screen.innerHeight',
  'session.index',
]
const OBJECTS = [
  'properties',
  'groups',
  'set',
  'set_once',
  'context',
  'context.page',
  'context.screen_view',
  'context.app',
  'context.library',
  'context.campaign',
  'context.screen',
  'session',
  'engagement',
  'content',
  'revenue',
]
const LISTS = ['content.authors', 'content.tags']
const TIMES = ['session.start', 'session.visitor_first_seen', 'content.published']

test.each([
  ...TEXTS.flatMap(
    (path) =>
      [
        [path, true],
        [path, {}],
        [path, []],
      ] as const,
  ),
  ...NUMBERS.flatMap(
    (path) =>
      [
        [path, '1'],
        [path, true],
        [path, {}],
      ] as const,
  ),
  ...OBJECTS.flatMap(
    (path) =>
      [
        [path, []],
        [path, 'x'],
        [path, 1],
      ] as const,
  ),
  ...LISTS.flatMap(
    (path) =>
      [
        [path, 'x'],
        [path, {}],
      ] as const,
  ),
  ...TIMES.flatMap(
    (path) =>
      [
        [path, true],
        [path, {}],
        [path, 'yesterday'],
        [path, 1e17],
      ] as const,
  ),
] as const)('%s as %j is invalid_type, named by its path', (path, value) => {
  const read = readMembers(eventWith(path, value))
  expect(read).toMatchObject({ code: 'invalid_type' })
  expect((read as MemberFaults).details).toEqual([
    expect.stringMatching(new RegExp(`^${path.replaceAll('.', '\\.')}: `)),
  ])
})

test.each([...TEXTS, ...NUMBERS, ...OBJECTS, ...LISTS, ...TIMES])('%s as null counts as not sent', (path) => {
  expect(readMembers(eventWith(path, null))).not.toHaveProperty('code')
})

test('an item of a list is named by its index, a fraction is no count of pixels', () => {
  const read = readMembers({ event: 'x', content: { tags: ['a', 5] }, context: { screen: { width: 1.5 } } })
  expect(read).toEqual({
    code: 'invalid_type',
    details: [
      'context.screen.width: must be a whole number below 2^53',
      'content.tags[1]: must be text, not a number',
    ],
  })
})

test.each([undefined, null, ''])('an event called %j is missing', (event) => {
  expect(readMembers({ event })).toEqual({ code: 'missing_field', details: ['event: is missing'] })
})

test('a name may have 200 characters and no more', () => {
  expect(readMembers({ event: 'x'.repeat(200) })).not.toHaveProperty('code')
  expect(readMembers({ event: 'x'.repeat(201) })).toMatchObject({ code: 'text_too_long' })
})

test('members without a column are kept under their path, the others are not repeated', () => {
  const event = JSON.parse(
    `{"event":"x","type":"track","user_id":"u","sent_at":"s","event_id":"e","properties":{"p":1},
      "context":{"page":{"url":"u","path":"/p"},"device":{"id":1},"ip":"i","app":null},
      "revenue":{"amount":1,"tax":2},"content":null,"__proto__":{"x":1}}`,
  )
  const rest = unplacedMembers(event)
  expect(JSON.stringify(rest)).toBe(
    '{"type":"track","context":{"page":{"path":"/p"},"device":{"id":1}},"revenue":{"tax":2},"__proto__":{"x":1}}',
  )
  expect(unplacedMembers({ event: 'x', context: { page: { url: 'u' } } })).toBeNull()
})
