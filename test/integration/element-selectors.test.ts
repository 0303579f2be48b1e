import fc from 'fast-check'
import { expect, inject, test } from 'vitest'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { createBindings } from '../../services/query-api/query/bindings.ts'
import { selectorSql } from '../../services/query-api/query/element-properties.ts'

const clickhouse = openClickHouse(
  parseSettings(CLICKHOUSE_SETTINGS, { MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl') }),
  null,
)

interface Element {
  readonly tag_name: string
  readonly attr__id?: string
  readonly attr__class?: string | readonly string[]
  readonly attr__href?: string
  readonly nth_child?: number
  readonly nth_of_type?: number
}

/** Whether each of the chains, innermost element first, has an element that one of the selectors fits. */
async function fits(selectors: readonly string[], chains: readonly (readonly Element[])[]) {
  const bindings = createBindings()
  const condition = selectorSql(selectors, bindings)
  const events = bindings.bind(
    chains.map((chain) => JSON.stringify({ $elements: chain })),
    'Array(String)',
  )
  const [row] = await clickhouse.query<{ found: number[] }>(
    `SELECT arrayMap(properties -> toUInt8(${condition}), ${events}) AS found`,
    bindings.parameters,
  )
  return row?.found.map((one) => Number(one) === 1)
}

const BUTTON: readonly Element[] = [
  { tag_name: 'span', attr__class: 'label' },
  { tag_name: 'BUTTON', attr__class: ' primary  big ', attr__id: 'pay', nth_child: 2, nth_of_type: 1 },
  { tag_name: 'form', attr__class: ['checkout', 'wide'], attr__href: '/a"b' },
  { tag_name: 'body' },
]

test.each([
  ['button', true],
  ['span', true],
  ['*', true],
  ['a', false],
  ['button.primary.big', true],
  ['button.prim', false],
  ['#pay', true],
  ['#Pay', false],
  ['form.wide', true],
  ['form > button', true],
  ['body > button', false],
  ['body button', true],
  ['body span.label', true],
  ['body > form > button > span', true],
  ['body > span', false],
  ['form > button:nth-child(2):nth-of-type(1)', true],
  ['button:nth-child(1)', false],
  ['form[href]', true],
  ["form[href='/a\"b'] .label", true],
  ['form[href="/a"]', false],
  ['button form', false],
  ['body body', false],
  ['form span button', false],
])('%s', async (selector, isFound) => {
  expect(await fits([selector], [BUTTON])).toEqual([isFound])
  expect(await fits(['nothing', selector], [BUTTON, []])).toEqual([isFound, false])
})

const CLASSES = ['x', 'y']
const TAGS = ['a', 'b']
const element: fc.Arbitrary<Element> = fc.record({
  tag_name: fc.constantFrom(...TAGS),
  attr__class: fc.subarray(CLASSES),
})
const asked = fc.record({
  tag: fc.constantFrom('', ...TAGS),
  names: fc.subarray(CLASSES),
  isChild: fc.boolean(),
})
type Asked = readonly { tag: string; names: readonly string[]; isChild: boolean }[]

const written = (parts: Asked) =>
  parts
    .map(({ tag, names, isChild }, at) => {
      const one = tag + names.map((name) => `.${name}`).join('')
      return `${at === 0 ? '' : isChild ? ' > ' : ' '}${one === '' ? '*' : one}`
    })
    .join('')

/** Tries every way to place the parts, from the outermost element on. */
function reference(parts: Asked, chain: readonly Element[]): boolean {
  const outermostFirst = [...chain].reverse()
  const place = (part: number, from: number): boolean => {
    const one = parts[part]
    if (one === undefined) return true
    const last = part > 0 && one.isChild ? from + 1 : outermostFirst.length
    for (let at = from; at < Math.min(last, outermostFirst.length); at++) {
      const { tag_name, attr__class } = outermostFirst[at] as Element
      const isFit =
        (one.tag === '' || one.tag === tag_name) && one.names.every((name) => attr__class?.includes(name))
      if (isFit && place(part + 1, at + 1)) return true
    }
    return false
  }
  return place(0, 0)
}

test('random selectors fit the random elements that trying every placement finds', async () => {
  let found = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(asked, { minLength: 1, maxLength: 5 }),
      fc.array(fc.array(element, { maxLength: 7 }), { minLength: 20, maxLength: 20 }),
      async (parts, chains) => {
        const expected = chains.map((chain) => reference(parts, chain))
        found += expected.filter((each) => each).length
        expect([written(parts), await fits([written(parts)], chains)]).toEqual([written(parts), expected])
      },
    ),
    { numRuns: 60 },
  )
  expect(found).toBeGreaterThan(100)
})
