import type { JsonObject } from '../../../schemas/field.ts'
import type { Random } from './random.ts'

/** What somebody does on a site, before it is dressed up as events. */
export interface Step {
  readonly event: string
  readonly path: string
  readonly title: string
  /** Time since the step before, milliseconds. */
  readonly afterMs: number
  readonly properties: JsonObject
  readonly revenue?: { readonly amount: number; readonly currency: string }
  readonly content?: JsonObject
  readonly engagedSeconds?: number
}

/** A kind of site. The name is what `--profile` takes. */
export const PROFILES = ['shop', 'blog'] as const
export type Profile = (typeof PROFILES)[number]

export const SITE_HOSTS: Readonly<Record<Profile, string>> = {
  shop: 'shop.example.com',
  blog: 'blog.example.com',
}

const scripts: Readonly<Record<Profile, (random: Random) => Iterable<Step>>> = {
  shop: shopVisit,
  blog: blogVisit,
}

export function visitScript(profile: Profile, random: Random): Iterable<Step> {
  return scripts[profile](random)
}

const PRODUCTS = [
  { sku: 'tea-01', name: 'Sencha', price: 12.5, category: 'green' },
  { sku: 'tea-02', name: 'Darjeeling first flush', price: 18.9, category: 'black' },
  { sku: 'tea-03', name: 'Oolong', price: 16.0, category: 'oolong' },
  { sku: 'pot-01', name: 'Cast iron pot', price: 64.0, category: 'ware' },
  { sku: 'cup-01', name: 'Cup, 2 pieces', price: 22.0, category: 'ware' },
] as const

/** visit → product → cart → checkout → purchase; most people leave on the way. */
function* shopVisit(random: Random): Iterable<Step> {
  const pause = () => 1_000 + Math.round(random.exponential(20_000))
  yield step('page_view', '/', 'Tea and ware', 0, { page_type: 'home' })
  const cart: { sku: string; quantity: number; price: number }[] = []
  const looks = 1 + random.below(4)
  for (let i = 0; i < looks; i++) {
    if (i > 0 && random.chance(0.25)) return
    if (random.chance(0.2)) {
      const words = random.pick(['green tea', 'pot', 'gift', 'thé vert'])
      yield step('search', '/search', 'Search', pause(), { query: words, results: random.below(40) })
    }
    const product = random.pick(PRODUCTS)
    const path = `/products/${product.sku}`
    const described = {
      sku: product.sku,
      product: product.name,
      price: product.price,
      category: product.category,
    }
    yield step('product_view', path, product.name, pause(), { ...described, position: i + 1 })
    if (random.chance(0.35)) {
      const quantity = 1 + random.below(3)
      cart.push({ sku: product.sku, quantity, price: product.price })
      yield step('add_to_cart', path, product.name, pause(), { ...described, quantity })
    }
  }
  if (cart.length === 0 || random.chance(0.4)) return
  const amount = Math.round(cart.reduce((sum, item) => sum + item.quantity * item.price, 0) * 100) / 100
  yield step('checkout', '/checkout', 'Checkout', pause(), { items: cart, amount })
  if (random.chance(0.35)) return
  const currency = random.weighted([
    [6, 'EUR'],
    [3, 'USD'],
    [1, 'JPY'],
  ] as const)
  yield {
    ...step('purchase', '/thank-you', 'Thank you', pause(), {
      order_id: `o-${random.hex().slice(0, 12)}`,
      items: cart,
      amount,
      currency,
      coupon: random.chance(0.1) ? 'SPRING' : null,
    }),
    revenue: { amount, currency },
  }
}

const ARTICLES = [
  { slug: 'how-to-brew', title: 'How to brew', section: 'guides', tags: ['brewing', 'basics'] },
  { slug: 'harvest-notes', title: 'Notes from the harvest', section: 'journal', tags: ['travel'] },
  { slug: 'water', title: 'Water matters — 水', section: 'guides', tags: ['water', 'basics'] },
  { slug: 'small-kilns', title: 'Small kilns', section: 'makers', tags: ['ware', 'people'] },
] as const

/** Pages read to some depth; now and then somebody subscribes. */
function* blogVisit(random: Random): Iterable<Step> {
  const pages = 1 + Math.min(random.below(3) + random.below(3), 4)
  for (let i = 0; i < pages; i++) {
    const article = random.pick(ARTICLES)
    const path = `/articles/${article.slug}`
    const content = {
      url: `https://${SITE_HOSTS.blog}${path}`,
      title: article.title,
      authors: [random.pick(['A. Writer', 'B. Editor'])],
      section: article.section,
      tags: article.tags,
      published: '2026-01-15T08:00:00Z',
    }
    const afterMs = i === 0 ? 0 : 2_000 + Math.round(random.exponential(40_000))
    yield { ...step('page_view', path, article.title, afterMs, { page_type: 'article' }), content }
    for (const depth of [25, 50, 75, 100]) {
      if (random.chance(0.4)) break
      const readMs = 1_500 + Math.round(random.exponential(12_000))
      const scrolled = step('scroll', path, article.title, readMs, { depth_percent: depth })
      yield { ...scrolled, content, engagedSeconds: Math.round(readMs / 100) / 10 }
    }
    if (random.chance(0.03)) {
      const placement = random.pick(['footer', 'inline', 'modal'])
      yield step('subscribe', path, article.title, 3_000, { placement, list: 'weekly' })
    }
  }
}

function step(event: string, path: string, title: string, afterMs: number, properties: JsonObject): Step {
  return { event, path, title, afterMs, properties }
}
