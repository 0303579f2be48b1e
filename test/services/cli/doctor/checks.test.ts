import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { clockFinding, findingText } from '../../../../services/cli/doctor/check.ts'
import { checkBucket } from '../../../../services/cli/doctor/check-bucket.ts'
import { checkClickHouse } from '../../../../services/cli/doctor/check-clickhouse.ts'
import { checkGeoFile } from '../../../../services/cli/doctor/check-geo-file.ts'
import { versionFinding } from '../../../../services/cli/doctor/clickhouse-version.ts'
import { geoBuildTime } from '../../../../services/cli/doctor/geo-build-time.ts'
import type { ClickHouse } from '../../../../services/core/clickhouse/clickhouse.ts'
import type { ObjectStore } from '../../../../services/core/object-store/object-store.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'
import { createMemoryObjectStore } from '../../../helpers/memory-object-store.ts'

test('a bucket is well when it stores, gives back, refuses to overwrite and deletes, and nothing is left in it', async () => {
  const store = createMemoryObjectStore()
  await store.createBucket('b')
  const findings = await checkBucket(store, 'b', '_doctor/1')
  expect(findings.map(({ status }) => status)).toEqual(['ok', 'ok', 'ok'])
  expect(await store.head('b', '_doctor/1')).toBe(null)
})

test('a server that ignores conditions is a fault', async () => {
  const store = createMemoryObjectStore()
  await store.createBucket('b')
  const careless: ObjectStore = {
    ...store,
    putIfAbsent: async (...args) => {
      await store.delete(args[0], args[1])
      await store.putIfAbsent(...args)
    },
  }
  const findings = await checkBucket(careless, 'b', 'k')
  expect(findings[1]).toMatchObject({ status: 'fault', fix: expect.stringContaining('If-None-Match') })
})

test.each([
  ['denied', /AWS_ACCESS_KEY_ID/],
  ['not_found', /MILLRACE_S3_BUCKET/],
  ['unavailable', /MILLRACE_S3_ENDPOINT/],
] as const)('a bucket that answers %s says what to do', async (code, fix) => {
  const store: ObjectStore = {
    ...createMemoryObjectStore(),
    putIfAbsent: async () => {
      throw new DependencyError('s3', code, 'said so')
    },
  }
  expect((await checkBucket(store, 'b', 'k'))[0]).toMatchObject({
    status: 'fault',
    fix: expect.stringMatching(fix),
  })
})

function clickhouse(applied: readonly object[] | Error): ClickHouse {
  return {
    ping: async () => '26.7',
    query: async (sql: string) => {
      if (sql.includes('now64')) return [{ now_ms: '0' }]
      if (applied instanceof Error) throw applied
      return applied
    },
  } as unknown as ClickHouse
}
const migrations = [1, 2].map((version) => ({ version, name: 'n', sql: '', checksum: `c${version}` }))
const row = (version: number, checksum = `c${version}`) => ({ version, name: 'n', checksum })

test.each([
  ['22.8.21.38', 'fault', /Upgrade ClickHouse to 24\.8/],
  ['23.1.1.1', 'warning', /Upgrade/],
  ['24.7.9.9', 'warning', /Upgrade/],
  ['24.8.1.1', 'ok', null],
  ['100.1', 'ok', null],
  ['unknown', 'warning', /24\.8 or later/],
] as const)('ClickHouse %s is judged: %s', (version, status, fix) => {
  expect(versionFinding('http://ch', version)).toMatchObject({
    status,
    detail: expect.stringContaining(version),
    fix: fix === null ? null : expect.stringMatching(fix),
  })
})

test.each([
  ['none applied', new DependencyError('clickhouse', 'not_found', 'Code: 60'), 'fault', /2 of 2/],
  ['one missing', [row(1)], 'fault', /1 of 2/],
  ['one edited', [row(1), row(2, 'other')], 'fault', /migration 2 .* another file/],
  ['one newer', [row(1), row(2), row(3)], 'warning', /newer/],
  ['all', [row(1), row(2)], 'ok', /all 2/],
] as const)('tables with %s', async (_, applied, status, detail) => {
  const found = await checkClickHouse(
    clickhouse(applied as never),
    'u',
    'd',
    migrations,
    createManualClock(0),
  )
  expect(found[0]).toMatchObject({ name: 'clickhouse', status: 'ok' })
  expect(found.at(-1)).toMatchObject({ status, detail: expect.stringMatching(detail) })
})

test.each([
  [1_000, 1_000, 1_100, 1, 'ok'],
  [900, 1_000, 1_100, 1, 'ok'],
  [0, 900, 1_000, 1_000, 'ok'],
  [4_100, 1_000, 1_100, 1, 'warning'],
  [1_000, 200_000, 200_100, 1, 'fault'],
] as const)('a clock at %d, asked between %d and %d', (theirs, before, after, granularity, status) => {
  expect(clockFinding('c', theirs, before, after, granularity).status).toBe(status)
})

test('the age of a geo file is when it was built, not when it was copied', () => {
  const path = createRequire(import.meta.url).resolve(
    '@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb',
  )
  const builtMs = geoBuildTime(path) as number
  expect(new Date(builtMs).getUTCFullYear()).toBeGreaterThanOrEqual(2024)
  expect(checkGeoFile(path, builtMs, builtMs + 10 * 86_400_000).status).toBe('ok')
  expect(checkGeoFile(path, builtMs, builtMs + 181 * 86_400_000).status).toBe('warning')
  expect(checkGeoFile('/none', geoBuildTime('/none'), 0).status).toBe('fault')
  expect(() => geoBuildTime(import.meta.filename)).toThrow(/not an MMDB file/)
})

test('a finding is printed with its fix under it', () => {
  expect(findingText({ name: 'n', status: 'fault', detail: 'd', fix: 'f' })).toMatch(/^FAULT .*d\n +→ f$/)
})
