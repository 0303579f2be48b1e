import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { geoFromRecord, NO_GEO } from '../../../../services/enricher/enrichments/geo.ts'
import { defaultGeoPath, openGeoFile } from '../../../../services/enricher/geo-database.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-geo-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const BERLIN = {
  continent: 'EU',
  country: 'DE',
  region: 'BE',
  city: 'Berlin',
  postal: '10115',
  lat: 52.5,
  lon: 13.4,
  timezone: 'Europe/Berlin',
  asn: 3320,
  asOrg: 'Deutsche Telekom AG',
}

test.each([
  [
    'nested',
    {
      continent: { code: 'EU', names: { en: 'Europe' } },
      country: { iso_code: 'DE', names: { en: 'Germany' } },
      subdivisions: [{ iso_code: 'BE' }],
      city: { names: { en: 'Berlin', de: 'Berlin' } },
      postal: { code: '10115' },
      location: { latitude: 52.5, longitude: 13.4, time_zone: 'Europe/Berlin' },
      autonomous_system_number: 3320,
      autonomous_system_organization: 'Deutsche Telekom AG',
    },
  ],
  [
    'flat',
    {
      continent: 'EU',
      country_code: 'DE',
      region_code: 'DE-BE',
      city: 'Berlin',
      postcode: '10115',
      latitude: '52.5',
      longitude: '13.4',
      timezone: 'Europe/Berlin',
      asn: 'AS3320',
      as_name: 'Deutsche Telekom AG',
    },
  ],
])('a %s record is read', (_shape, record) => {
  expect(geoFromRecord(record)).toEqual(BERLIN)
})

test('the continent follows from the country, and nonsense from nothing', () => {
  expect(geoFromRecord({ country_code: 'JP' })).toEqual({ ...NO_GEO, country: 'JP', continent: 'AS' })
  expect(
    geoFromRecord({
      country: 7,
      latitude: 'x',
      longitude: 999,
      asn: 'none',
      subdivisions: ['?'],
      city: { names: 1 },
    }),
  ).toEqual(NO_GEO)
  expect(geoFromRecord(null)).toEqual(NO_GEO)
})

test('the data that comes with the package places addresses of both kinds', async () => {
  const { current } = await openGeoFile(defaultGeoPath())
  expect(current.lookUp('8.8.8.8')).toMatchObject({ country: 'US', continent: 'NA' })
  expect(current.lookUp('[2001:4860:4860::8888]:53')).toMatchObject({ country: 'US' })
  for (const nowhere of ['10.0.0.1', '::1', 'nonsense', '', '1'.repeat(65_536)])
    expect(current.lookUp(nowhere)).toEqual(NO_GEO)
  expect(current.builtAt).toBeGreaterThan(Date.UTC(2020, 0, 1))
})

test('a file that is replaced is read again; one that cannot be read leaves the old one in force', async () => {
  const path = join(directory, 'geo.mmdb')
  copyFileSync(defaultGeoPath(), path)
  const file = await openGeoFile(path)
  const before = file.current
  expect(await file.refresh()).toBe(false)
  writeFileSync(path, 'half written')
  expect(await file.refresh()).toBe(false)
  expect(file.current).toBe(before)
  expect(file.problem()).toContain(path)
  copyFileSync(join(defaultGeoPath(), '../geo-whois-asn-country-ipv4.mmdb'), path)
  expect(await file.refresh()).toBe(true)
  expect(file.problem()).toBeNull()
  expect(file.current.hash).not.toBe(before.hash)
  expect(file.current.lookUp('2001:4860:4860::8888')).toEqual(NO_GEO)
  expect(file.current.lookUp('8.8.8.8').country).toBe('US')
})

test('a file that is not there is a fault of the disk', async () => {
  await expect(openGeoFile(join(directory, 'none'))).rejects.toMatchObject({ dependency: 'disk' })
})
