import { isObject } from '../is-object.ts'
import { continentOf } from '../reference/continents.ts'

export interface Geo {
  readonly continent: string | null
  readonly country: string | null
  readonly region: string | null
  readonly city: string | null
  readonly postal: string | null
  readonly lat: number | null
  readonly lon: number | null
  readonly timezone: string | null
  readonly asn: number | null
  readonly asOrg: string | null
}

export const NO_GEO: Geo = {
  continent: null,
  country: null,
  region: null,
  city: null,
  postal: null,
  lat: null,
  lon: null,
  timezone: null,
  asn: null,
  asOrg: null,
}

/**
 * Reads a record of any common MMDB: nested as MaxMind writes them (`country.iso_code`, `location.latitude`), or flat
 * as others do (`country_code`, `latitude`). What a database does not hold is null; the continent follows from the
 * country where only that is known.
 *
 * @param record one entry of the database, of whatever shape
 */
export function geoFromRecord(record: unknown): Geo {
  if (!isObject(record)) return NO_GEO
  const country = code(pick(record, 'country.iso_code', 'country_code', 'country'), 2)
  return {
    continent:
      code(pick(record, 'continent.code', 'continent_code', 'continent'), 2) ??
      (country && continentOf(country)),
    country,
    region: code(region(record), 3),
    city: text(pick(record, 'city.names.en', 'city_name', 'city')),
    postal: text(pick(record, 'postal.code', 'postal_code', 'postcode', 'zip', 'postal')),
    lat: number(pick(record, 'location.latitude', 'latitude', 'lat'), 90),
    lon: number(pick(record, 'location.longitude', 'longitude', 'lng', 'lon'), 180),
    timezone: text(pick(record, 'location.time_zone', 'timezone', 'time_zone')),
    asn: asn(pick(record, 'autonomous_system_number', 'traits.autonomous_system_number', 'as_number', 'asn')),
    asOrg: text(
      pick(
        record,
        'autonomous_system_organization',
        'traits.autonomous_system_organization',
        'as_organization',
        'as_name',
      ),
    ),
  }
}

function region(record: Readonly<Record<string, unknown>>): unknown {
  const { subdivisions } = record
  if (Array.isArray(subdivisions)) return isObject(subdivisions[0]) ? subdivisions[0].iso_code : null
  return pick(record, 'region_code', 'subdivision_code')
}

/** The first of these paths that leads to a value that is no object. */
function pick(record: Readonly<Record<string, unknown>>, ...paths: readonly string[]): unknown {
  for (const path of paths) {
    const dot = path.indexOf('.')
    const value = dot < 0 ? record[path] : nested(record, path, dot)
    if (value !== undefined && value !== null && value !== '' && !isObject(value)) return value
  }
  return null
}

function nested(record: Readonly<Record<string, unknown>>, path: string, dot: number): unknown {
  const inner = record[path.slice(0, dot)]
  // Most databases are flat: the path is taken apart only where it leads somewhere.
  return isObject(inner)
    ? path
        .slice(dot + 1)
        .split('.')
        .reduce<unknown>(member, inner)
    : undefined
}

function member(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** Upper case, without the country that some databases put in front of a region (`DE-BY`). */
function code(value: unknown, lengthMax: number): string | null {
  if (typeof value !== 'string') return null
  const short = value.slice(value.indexOf('-') + 1).toUpperCase()
  return short.length <= lengthMax && /^[A-Z0-9]+$/.test(short) ? short : null
}

function number(value: unknown, absoluteMax: number): number | null {
  const read = typeof value === 'string' && value.length <= 32 ? Number(value) : value
  return typeof read === 'number' && Math.abs(read) <= absoluteMax ? read : null
}

/** 15169, `15169` or `AS15169`. */
function asn(value: unknown): number | null {
  const read =
    typeof value === 'string' && /^(AS)?\d{1,10}$/i.test(value) ? Number(value.replace(/\D+/, '')) : value
  return typeof read === 'number' && Number.isSafeInteger(read) && read > 0 ? read : null
}
