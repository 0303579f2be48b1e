import type { SentEvent } from './acknowledged.ts'

type Entitled = (event: SentEvent) => boolean

const everything: Entitled = () => true
const shop: Entitled = ({ dataset }) => dataset === 'shop'
const purchase: Entitled = (event) => shop(event) && event.name === 'purchase'

/**
 * Who is entitled to what in `examples/millrace.yaml`, said a second time by hand: what the filters of the product
 * select is compared with this, so nothing of theirs is used here. A test holds that every id of the sample is here.
 */
export const SAMPLE_SUBSCRIPTIONS: Readonly<Record<string, Entitled>> = {
  'shop-all': shop,
  'shop-purchases': (event) => purchase(event) && Number(event.amount) >= 20 && !event.isBot,
  'page-views': ({ name }) => name === 'page_view',
}

/** Of the deliveries of enriched events. */
export const SAMPLE_DELIVERIES: Readonly<Record<string, Entitled>> = {
  warehouse: everything,
  purchases: purchase,
}

/** Deliveries of rejected events; each gets all of them. */
export const SAMPLE_REJECTED_DELIVERIES: readonly string[] = ['rejected']

/** `<dataset>/<event id>` of the events among `enriched` that are entitled. */
export function entitledEvents(
  enriched: Iterable<string>,
  sent: ReadonlyMap<string, SentEvent>,
  entitled: Entitled,
): ReadonlySet<string> {
  return new Set([...enriched].filter((event) => entitled(sent.get(event)!)))
}
