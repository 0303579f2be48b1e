import { countEvent, type Found } from './reconcile.ts'

export interface ClickHouseAddress {
  readonly url: string
  readonly database: string
  readonly user: string
  readonly password: string
}

/**
 * The events of a table, read over plain HTTP: no client library, and without FINAL, so that a doubled row shows.
 *
 * @param concerns only events that pass
 * @throws Error with ClickHouse's own words
 */
export async function readClickHouseRows(
  address: ClickHouseAddress,
  table: 'events' | 'rejected_events',
  concerns: (event: string) => boolean,
): Promise<Found> {
  const url = new URL(address.url)
  url.searchParams.set('database', address.database)
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${address.user}:${address.password}`).toString('base64')}`,
    },
    body: `SELECT dataset_id, event_id FROM ${table} FORMAT JSONCompactEachRow`,
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`ClickHouse at ${url.host} refused to count ${table}: ${text.trim()}`)
  const found = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const [dataset, eventId] = JSON.parse(line) as [string, string]
    if (concerns(`${dataset}/${eventId}`)) countEvent(found, dataset, eventId)
  }
  return found
}
