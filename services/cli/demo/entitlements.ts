/** The members of an enriched event that the sample's conditions look at. */
export interface EnrichedFacts {
  readonly dataset_id: string
  readonly event_id: string
  readonly event: string
  readonly is_bot: boolean | null
  readonly properties: { readonly amount?: unknown }
}

/** Only what is needed: the whole record of every event would fill the memory. */
export function enrichedFacts(value: string): EnrichedFacts {
  const { dataset_id, event_id, event, is_bot, properties } = JSON.parse(value) as EnrichedFacts
  return { dataset_id, event_id, event, is_bot, properties: { amount: properties.amount } }
}

type Entitled = (event: EnrichedFacts) => boolean

const everything: Entitled = () => true
const shop: Entitled = ({ dataset_id }) => dataset_id === 'shop'
const purchase: Entitled = (event) => shop(event) && event.event === 'purchase'

/**
 * Who is entitled to what in `examples/millrace.yaml`, said a second time by hand: what the filters of the product
 * select is compared with this, so nothing of theirs is used here. A test holds that every id of the sample is here.
 */
export const SAMPLE_SUBSCRIPTIONS: Readonly<Record<string, Entitled>> = {
  'shop-all': shop,
  'shop-purchases': (event) =>
    purchase(event) && Number(event.properties.amount) >= 20 && event.is_bot !== true,
  'page-views': ({ event }) => event === 'page_view',
}

/** Of the deliveries of enriched events. */
export const SAMPLE_DELIVERIES: Readonly<Record<string, Entitled>> = {
  warehouse: everything,
  purchases: purchase,
}

/** Deliveries of rejected events; each gets all of them. */
export const SAMPLE_REJECTED_DELIVERIES: readonly string[] = ['rejected']

/** `<dataset>/<event id>` of every event that is entitled. */
export function entitledEvents(events: readonly EnrichedFacts[], entitled: Entitled): ReadonlySet<string> {
  return new Set(events.filter(entitled).map(({ dataset_id, event_id }) => `${dataset_id}/${event_id}`))
}
