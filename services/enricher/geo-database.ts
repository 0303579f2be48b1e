import { hash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { LRUCache } from 'lru-cache'
import { Reader, type Response } from 'maxmind'
import { DependencyError } from '../core/runtime/errors.ts'
import { type Geo, geoFromRecord, NO_GEO } from './enrichments/geo.ts'
import { plainAddress } from './enrichments/ip-privacy.ts'

/** One version of a geo database, held in memory; never changes. */
export interface GeoDatabase {
  /** SHA-256 of the file, hex; part of the recipe. */
  readonly hash: string
  /** When its maker built it, epoch milliseconds. */
  readonly builtAt: number
  /** Never throws; unknown, private and unreadable addresses have no place. */
  lookUp(ip: string): Geo
}

/** A file that may be replaced while it is used. */
export interface GeoFile {
  /** The version in force. A batch takes it once and keeps it to its end. */
  readonly current: GeoDatabase
  /**
   * Reads the file again when its size or time changed. A file that cannot be read, or is half written, leaves the
   * version in force and is told by `problem`.
   *
   * @returns whether there is a new version
   */
  refresh(): Promise<boolean>
  /** Null when the file could be read the last time it was looked at. */
  problem(): string | null
}

/** Path of the country data that comes with the package. */
export function defaultGeoPath(): string {
  return createRequire(import.meta.url).resolve(
    '@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb',
  )
}

/**
 * @param path an MMDB file of any maker; see `enrichments/geo.ts` for the shapes that are read
 * @throws DependencyError('disk', …) when it cannot be read or is no MMDB
 */
export async function openGeoFile(path: string): Promise<GeoFile> {
  let version = await versionOf(path)
  let current = await load(path)
  let trouble: string | null = null
  return {
    get current() {
      return current
    },
    async refresh() {
      try {
        const found = await versionOf(path)
        if (found === version && trouble === null) return false
        const loaded = await load(path)
        const changed = loaded.hash !== current.hash
        current = loaded
        version = found
        trouble = null
        return changed
      } catch (error) {
        trouble = `${(error as Error).message} The version read before stays in use.`
        return false
      }
    },
    problem: () => trouble,
  }
}

async function versionOf(path: string): Promise<string> {
  try {
    const { size, mtimeMs, ino } = await stat(path)
    return `${size}-${mtimeMs}-${ino}`
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** One visitor's events come together: most look-ups ask for an address that was just asked for. */
const RECENT_ADDRESSES_MAX = 20_000

async function load(path: string): Promise<GeoDatabase> {
  try {
    const bytes = await readFile(path)
    const reader = new Reader<Response>(bytes)
    const recent = new LRUCache<string, Geo>({ max: RECENT_ADDRESSES_MAX })
    return {
      hash: hash('sha256', bytes, 'hex'),
      builtAt: reader.metadata.buildEpoch.getTime(),
      lookUp(ip) {
        const address = plainAddress(ip)
        // An IPv4 tree has no place for longer addresses.
        if (address === null || (reader.metadata.ipVersion === 4 && address.includes(':'))) return NO_GEO
        const known = recent.get(address)
        if (known !== undefined) return known
        const record: unknown = reader.get(address)
        const geo = record === null ? NO_GEO : geoFromRecord(record)
        recent.set(address, geo)
        return geo
      },
    }
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function unreadable(path: string, cause: unknown): DependencyError {
  return new DependencyError(
    'disk',
    'unavailable',
    `The geo database ${path} cannot be read: ${(cause as Error).message}.`,
    cause,
  )
}
