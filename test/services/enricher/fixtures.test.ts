import { hash } from 'node:crypto'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import type { RawEvent } from '../../../schemas/raw-event/v1.ts'
import { NO_GEO } from '../../../services/enricher/enrichments/geo.ts'
import type { GeoDatabase } from '../../../services/enricher/geo-database.ts'
import { ENRICHER_VERSION } from '../../../services/enricher/recipe.ts'
import { createWorld, rawBytes } from './enricher-world.ts'

/**
 * Pairs: `<name>.raw.json` holds a dataset and a raw event, `<name>.out.json` what comes out of it. With
 * UPDATE_FIXTURES=1 the second is written anew: read the difference, and raise ENRICHER_VERSION.
 */
const directory = join(import.meta.dirname, '../../fixtures/enricher')
const inputs = globSync('*.raw.json', { cwd: directory }).sort()
const update = process.env.UPDATE_FIXTURES === '1'

const geo: GeoDatabase = {
  hash: 'fixture',
  builtAt: 0,
  lookUp: (ip) =>
    ip.startsWith('203.0.113.') ? { ...NO_GEO, country: 'DE', continent: 'EU', city: 'Berlin' } : NO_GEO,
}

/** The recipe depends on what is installed; everything else must not. */
const withoutRecipe = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (key, each) => (key === 'recipe' ? '…' : each)))

async function outputOf(file: string): Promise<unknown> {
  const { dataset, schemas, raw } = JSON.parse(readFileSync(join(directory, file), 'utf8'))
  const world = await createWorld({ geo, control: { datasets: [dataset], schemas: schemas ?? [] } })
  await world.send(rawBytes(Buffer.from(JSON.stringify(raw as RawEvent)), raw.event_id, raw.dataset_id))
  await world.drainWithRestarts()
  const [enriched] = world.enriched()
  const [rejected] = world.rejected()
  return withoutRecipe(enriched ? { enriched: enriched.value } : { rejected: rejected?.value })
}

test.each(inputs)('%s', async (file) => {
  const expected = join(directory, file.replace('.raw.json', '.out.json'))
  const output = await outputOf(file)
  if (update) writeFileSync(expected, `${JSON.stringify(output, null, 2)}\n`)
  expect(output).toEqual(JSON.parse(readFileSync(expected, 'utf8')))
  // The same again gives the same bytes.
  expect(JSON.stringify(await outputOf(file))).toBe(JSON.stringify(output))
})

test('whoever changes what comes out changes ENRICHER_VERSION too', () => {
  const pinned = join(directory, 'version.json')
  const outputs = inputs.map((file) =>
    readFileSync(join(directory, file.replace('.raw.json', '.out.json')), 'utf8'),
  )
  const now = {
    version: ENRICHER_VERSION,
    outputs: hash('sha256', [...inputs.map((file) => basename(file)), ...outputs].join('\n'), 'hex'),
  }
  if (update) writeFileSync(pinned, `${JSON.stringify(now, null, 2)}\n`)
  expect(now).toEqual(JSON.parse(readFileSync(pinned, 'utf8')))
})
