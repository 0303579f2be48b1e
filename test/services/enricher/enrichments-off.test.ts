import { expect, test } from 'vitest'
import { ENRICHMENTS, type EnrichmentName } from '../../../schemas/control/v1.ts'
import { NO_GEO } from '../../../services/enricher/enrichments/geo.ts'
import type { GeoDatabase } from '../../../services/enricher/geo-database.ts'
import { createWorld, rawBytes } from './enricher-world.ts'

const geo: GeoDatabase = {
  hash: 'test',
  builtAt: 0,
  lookUp: () => ({ ...NO_GEO, country: 'DE', continent: 'EU', city: 'Berlin' }),
}

/** An event that every enrichment has something to say about. */
const raw = {
  v: 1,
  event_id: 'e-1',
  dataset_id: 'shop',
  collector_time: Date.UTC(2026, 0, 31),
  protocol: 'native',
  ip: '203.0.113.77',
  user_agent:
    'Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) ' +
    'Chrome/119.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  sent_at: null,
  event: {
    event: 'page_view',
    distinct_id: 'ann',
    context: {
      page: {
        url: 'https://www.shop.example/cart?utm_source=news&gclid=abc#pay',
        referrer: 'https://mail.google.com/mail',
      },
      campaign: { name: 'spring' },
    },
  },
}

/** The columns that fall silent, and no others, when one is switched off. What the client sent itself stays. */
const SILENT: Readonly<Record<EnrichmentName, readonly string[]>> = {
  url: ['url_scheme', 'url_host', 'url_domain', 'url_path', 'url_query', 'url_fragment'],
  referrer: ['referrer_host', 'referrer_domain', 'referrer_path', 'referrer_category', 'referrer_name'],
  campaign: ['utm_source', 'click_id', 'click_id_type'],
  user_agent: [
    'browser',
    'browser_version',
    'os',
    'os_version',
    'device_type',
    'device_vendor',
    'device_model',
  ],
  bot: ['is_bot', 'bot_name'],
  geo: ['geo_continent', 'geo_country', 'geo_city'],
}

async function enriched(enrichments: Partial<Record<EnrichmentName, boolean>>) {
  const world = await createWorld({
    geo,
    control: { datasets: [{ id: 'shop', account: 'acme', enrichments }] },
  })
  await world.send(rawBytes(Buffer.from(JSON.stringify(raw)), raw.event_id, raw.dataset_id))
  await world.drainWithRestarts()
  return world.enriched()[0]?.value as unknown as Record<string, unknown>
}

test.each(ENRICHMENTS)(
  '%s switched off alone leaves its own columns null and every other as it is',
  async (name) => {
    const [all, without] = await Promise.all([enriched({}), enriched({ [name]: false })])
    const changed = Object.keys(all).filter(
      (column) => all[column] !== without[column] && typeof all[column] !== 'object',
    )
    expect(changed.sort()).toEqual([...SILENT[name], 'recipe'].sort())
    for (const column of SILENT[name]) expect([column, without[column]]).toEqual([column, null])
    // What went in as it came stays, whatever is switched off.
    expect(without).toMatchObject({ url: raw.event.context.page.url, utm_campaign: 'spring' })
  },
)
