import type { Subscription } from '../../schemas/control/v1.ts'
import type { ControlSnapshot } from '../core/control/control-view.ts'
import { FilterError, type FilterPath } from '../core/event/filter-expression.ts'
import { parseEventPath } from '../core/event/filter-parser.ts'
import { compileSelection, type Selection } from '../core/event/selection.ts'
import { createMask, type Mask } from './mask-json.ts'

/** One subscription, compiled. */
export interface Route {
  readonly id: string
  readonly subscription: Subscription
  readonly selection: Selection
  readonly mask: Mask | null
  /** Whose value becomes the record key; null to keep the key of the enriched record. */
  readonly keyPath: FilterPath | null
}

export interface RoutingTable {
  readonly controlOffset: number
  readonly routes: ReadonlyMap<string, Route>
  /** Subscriptions that this version cannot carry out, each with the reason; their events wait. */
  readonly unusable: ReadonlyMap<string, string>
  /** Routes whose dataset and event name match. The whole condition may still refuse an event. */
  matching(datasetId: string | null, event: string | null): readonly Route[]
}

/** Combinations of dataset and event name that are remembered; past it the memory starts over. */
const REMEMBERED_MAX = 10_000

export function compileRoutes(snapshot: ControlSnapshot): RoutingTable {
  const routes = new Map<string, Route>()
  const unusable = new Map<string, string>()
  for (const [id, { object }] of snapshot.subscriptions) {
    try {
      routes.set(id, compileRoute(id, object, snapshot))
    } catch (error) {
      if (!(error instanceof FilterError)) throw error
      unusable.set(id, error.message)
    }
  }
  const remembered = new Map<string, readonly Route[]>()
  return {
    controlOffset: snapshot.offset,
    routes,
    unusable,
    matching(datasetId, event) {
      const name = `${datasetId}\n${event}`
      const known = remembered.get(name)
      if (known !== undefined) return known
      if (remembered.size >= REMEMBERED_MAX) remembered.clear()
      const found = [...routes.values()].filter(({ selection }) => selection.matchesHeaders(datasetId, event))
      remembered.set(name, found)
      return found
    },
  }
}

/** Only datasets of the subscription's own account count, whatever the configuration says. */
function compileRoute(id: string, subscription: Subscription, snapshot: ControlSnapshot): Route {
  const { account, events, where, fields, key } = subscription
  const datasets = subscription.datasets.filter(
    (dataset) => snapshot.datasets.get(dataset)?.object.account === account,
  )
  const masked = fields?.include ?? fields?.exclude
  return {
    id,
    subscription,
    selection: compileSelection({ datasets, events, where }),
    mask:
      masked === undefined
        ? null
        : createMask(
            fields?.include === undefined ? 'exclude' : 'include',
            masked.map((text) => parseEventPath(text).path),
          ),
    keyPath: key === undefined || key === 'distinct_id' ? null : parseEventPath(key).path,
  }
}
