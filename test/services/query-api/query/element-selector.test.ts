import { expect, test } from 'vitest'
import {
  readSelector,
  SELECTOR_LIMITS,
  type SelectorPart,
} from '../../../../services/query-api/query/element-selector.ts'

const part = (own: Partial<SelectorPart>): SelectorPart => ({
  tag: null,
  id: null,
  classes: [],
  attributes: [],
  nthChild: null,
  nthOfType: null,
  isChild: false,
  ...own,
})

test.each<[string, SelectorPart[]]>([
  ['BUTTON', [part({ tag: 'button' })]],
  ['*', [part({})]],
  ['#buy > a', [part({ id: 'buy' }), part({ tag: 'a', isChild: true })]],
  [
    ' form.checkout.wide  [data-attr="pay"]>button:nth-child( 2 ):nth-of-type(1) ',
    [
      part({ tag: 'form', classes: ['checkout', 'wide'] }),
      part({ attributes: [['data-attr', 'pay']] }),
      part({ tag: 'button', nthChild: 2, nthOfType: 1, isChild: true }),
    ],
  ],
  [
    `a[href][title='x > y "z"'][lang=de]`,
    [
      part({
        tag: 'a',
        attributes: [
          ['href', null],
          ['title', 'x > y "z"'],
          ['lang', 'de'],
        ],
      }),
    ],
  ],
  [
    String.raw`.md\:flex #\31 st .ärger`,
    [part({ classes: ['md:flex'] }), part({ id: '1st' }), part({ classes: ['ärger'] })],
  ],
])('%s is read', (text, parts) => {
  expect(readSelector(text, 'selector')).toEqual(parts)
})

test.each([
  '',
  '>',
  'a >',
  '> a',
  'a > > b',
  'a, b',
  'a + b',
  'a ~ b',
  'a:hover',
  ':nth-child(2n)',
  'a[href^="x"]',
  'a[href="x',
  '..b',
  '#',
  '12',
  "a' OR 1=1",
])('%j is no selector here, and it is said from where on', (text) => {
  expect(() => readSelector(text, 'steps__0__selector')).toThrow(
    expect.objectContaining({
      status: 400,
      body: expect.objectContaining({
        attr: 'steps__0__selector',
        detail: expect.stringMatching(/cannot be read from character \d+ on/),
      }),
    }),
  )
})

test('a selector speaks of so many elements, in so many characters, and none takes long to be read', () => {
  const { parts, length } = SELECTOR_LIMITS
  expect(readSelector(Array(parts).fill('a').join(' '), 'a')).toHaveLength(parts)
  expect(() =>
    readSelector(
      Array(parts + 1)
        .fill('a')
        .join(' '),
      'a',
    ),
  ).toThrow()
  expect(() => readSelector('a'.repeat(length + 1), 'a')).toThrow()
  expect(readSelector(`#${'\\a '.repeat(300)}`, 'a')).toHaveLength(1)
  for (const text of [
    `[${'a'.repeat(900)}`,
    `.${'a'.repeat(990)}(`,
    `[a="${'x'.repeat(900)}`,
    '('.repeat(1_000),
  ])
    expect(() => readSelector(text, 'a')).toThrow()
})
