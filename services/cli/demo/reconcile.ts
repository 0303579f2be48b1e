/**
 * The reconciliation: what was accepted over HTTP against what lies in every place it had to go to, event by event.
 *
 * Nothing here reads anything: readers hand in what they found, and none of them shares code with the stage that
 * wrote the place. Events are named `<dataset>/<event id>`.
 */

/** How often each event was found in one place. */
export type Found = ReadonlyMap<string, number>

/** One place, seen by one reader. */
export interface Place {
  /** As the operator knows it: `events.enriched`, `sub.purchases`, `delivery warehouse`. */
  readonly name: string
  /** What was counted: `records`, `manifests`, `rows in files`, `rows`. */
  readonly counted: string
  readonly seen: Seen
  /** What the reader itself noticed: an object that is gone, a manifest missing in the chain. One sentence each. */
  readonly faults: readonly string[]
}

/** A reader sees either which events are there, or, as manifests do, only how many of each dataset. */
export type Seen =
  | {
      readonly kind: 'events'
      /** Events that must be there, each once. */
      readonly expected: ReadonlySet<string>
      readonly found: Found
    }
  | {
      readonly kind: 'counts'
      readonly expected: ReadonlyMap<string, number>
      readonly found: ReadonlyMap<string, number>
    }

export interface Line {
  readonly place: string
  readonly counted: string
  readonly dataset: string
  readonly expected: number
  readonly found: number
  /** Why the line does not balance, one sentence each; empty when it does. */
  readonly faults: readonly string[]
}

export interface Reconciliation {
  readonly lines: readonly Line[]
  readonly balanced: boolean
}

/** Events named in one fault at most; the rest is counted. */
const NAMED_MAX = 3

/** Compares every place with what must be there, per dataset. Lines are in the order of places, then datasets. */
export function reconcile(datasets: readonly string[], places: readonly Place[]): Reconciliation {
  const lines = places.flatMap((place) => {
    const perDataset = datasets.map((dataset) => lineOf(place, dataset)).filter((line) => line !== null)
    // What the reader noticed belongs to the place as a whole: it stands on its first line, or on one of its own.
    if (place.faults.length === 0) return perDataset
    const [first, ...rest] = perDataset
    const carrier: Line = first ?? {
      place: place.name,
      counted: place.counted,
      dataset: '–',
      expected: 0,
      found: 0,
      faults: [],
    }
    return [{ ...carrier, faults: [...carrier.faults, ...place.faults] }, ...rest]
  })
  return { lines, balanced: lines.every((line) => line.faults.length === 0) }
}

function lineOf(place: Place, dataset: string): Line | null {
  const { name, counted, seen } = place
  if (seen.kind === 'counts') {
    const expected = seen.expected.get(dataset) ?? 0
    const found = seen.found.get(dataset) ?? 0
    if (expected === 0 && found === 0) return null
    const faults =
      found === expected
        ? []
        : [`${name}: ${counted} say ${found} for ${dataset}, ${expected} must be there.`]
    return { place: name, counted, dataset, expected, found, faults }
  }
  const prefix = `${dataset}/`
  const expected = [...seen.expected].filter((event) => event.startsWith(prefix))
  const here = [...seen.found].filter(([event]) => event.startsWith(prefix))
  if (expected.length === 0 && here.length === 0) return null
  const missing = expected.filter((event) => !seen.found.has(event))
  const extra = here.filter(([event]) => !seen.expected.has(event)).map(([event]) => event)
  const repeated = here.filter(([, times]) => times > 1).map(([event]) => event)
  return {
    place: name,
    counted,
    dataset,
    expected: expected.length,
    found: here.reduce((sum, [, times]) => sum + times, 0),
    faults: [
      ...fault(name, 'missing', missing),
      ...fault(name, 'there but not expected', extra),
      ...fault(name, 'there more than once', repeated),
    ],
  }
}

function fault(place: string, what: string, events: readonly string[]): string[] {
  if (events.length === 0) return []
  const named = events.slice(0, NAMED_MAX).join(', ')
  const more = events.length > NAMED_MAX ? ` and ${events.length - NAMED_MAX} more` : ''
  return [
    `${place}: ${events.length} ${events.length === 1 ? 'event is' : 'events are'} ${what}: ${named}${more}.`,
  ]
}

/** Adds up `<dataset>/<event id>` pairs by dataset. */
export function perDataset(events: Iterable<readonly [string, number]>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const [event, times] of events) {
    const dataset = event.slice(0, event.indexOf('/'))
    counts.set(dataset, (counts.get(dataset) ?? 0) + times)
  }
  return counts
}

/** Counts an occurrence. */
export function countEvent(found: Map<string, number>, dataset: string, eventId: string): void {
  const event = `${dataset}/${eventId}`
  found.set(event, (found.get(event) ?? 0) + 1)
}

/** The table as text, a line per place and dataset, faults below it. */
export function renderReconciliation({ lines, balanced }: Reconciliation): string {
  const header = ['place', 'counted by', 'dataset', 'expected', 'found', '']
  const rows = lines.map((line) => [
    line.place,
    line.counted,
    line.dataset,
    line.expected.toLocaleString('en-US'),
    line.found.toLocaleString('en-US'),
    line.faults.length === 0 ? 'balanced' : 'DOES NOT BALANCE',
  ])
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length)),
  )
  const numeric = (column: number) => column === 3 || column === 4
  const render = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        numeric(column) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd()
  const faults = lines.flatMap((line) => line.faults)
  return [
    render(header),
    render(widths.map((width) => '-'.repeat(width))),
    ...rows.map(render),
    '',
    balanced
      ? `All ${lines.length} lines balance.`
      : `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}:`,
    ...faults.map((text) => `  ${text}`),
    '',
  ].join('\n')
}
