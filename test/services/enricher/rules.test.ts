import { expect, test } from 'vitest'
import { effectiveSettings } from '../../../services/enricher/recipe.ts'
import { createSchemaCache, rulesOf } from '../../../services/enricher/rules.ts'
import { type ControlContent, controlView } from '../../helpers/memory-control.ts'

const shop = { id: 'shop', account: 'acme' } as const
const blog = { id: 'blog', account: 'acme' } as const
const order = { dataset: 'shop', event: 'order', json_schema: { type: 'object' } } as const

const recipes = (content: ControlContent, references: Record<string, string> = { geo: 'g1' }) => {
  const rules = rulesOf(controlView(content).snapshot, references, createSchemaCache(10))
  return { base: rules.recipe, shop: rules.ofDataset('shop').recipe, blog: rules.ofDataset('blog').recipe }
}
const before = recipes({ datasets: [shop, blog] })

test('a reference file changes every recipe', () => {
  const after = recipes({ datasets: [shop, blog] }, { geo: 'g2' })
  expect(Object.entries(after).filter(([name, recipe]) => recipe === before[name as 'base'])).toEqual([])
})

test.each([
  ['a setting', { datasets: [{ ...shop, privacy: { ip: 'keep' } } as const, blog] }],
  ['an enrichment', { datasets: [{ ...shop, enrichments: { geo: false } }, blog] }],
  ['a schema', { datasets: [shop, blog], schemas: [order] }],
])('%s changes the recipe of its own dataset only', (_what, content) => {
  const after = recipes(content)
  expect(after.shop).not.toBe(before.shop)
  expect([after.blog, after.base]).toEqual([before.blog, before.base])
})

test('what changes no event changes no recipe: a name, a default written out, the order of schemas', () => {
  const named = {
    ...shop,
    name: 'The shop',
    unknown_events: 'allow',
    enrichments: { geo: true },
    privacy: { ip: 'truncate' },
  } as const
  expect(recipes({ datasets: [named, blog] })).toEqual(before)
  const refund = { ...order, event: 'refund' }
  expect(recipes({ datasets: [shop], schemas: [order, refund] })).toEqual(
    recipes({ datasets: [shop], schemas: [refund, order] }),
  )
})

test('a dataset that is not configured gets the defaults, and is not kept', () => {
  const rules = rulesOf(controlView({}).snapshot, {}, createSchemaCache(1))
  expect(rules.ofDataset('a')).toBe(rules.ofDataset('b'))
  expect(rules.ofDataset('a')).toMatchObject(effectiveSettings(undefined))
  expect(effectiveSettings(undefined)).toMatchObject({ unknown_events: 'allow', ip: 'truncate' })
})

test('a schema is compiled once, and again only after others took its place', () => {
  const schemas = createSchemaCache(1)
  const { snapshot } = controlView({ datasets: [shop], schemas: [order, { ...order, event: 'refund' }] })
  const [one, two] = [...snapshot.schemas.get('shop')!.values()]
  const first = schemas(one!)
  expect(schemas(one!)).toBe(first)
  schemas(two!)
  expect(schemas(one!)).not.toBe(first)
})
