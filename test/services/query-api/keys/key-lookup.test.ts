import { expect, test } from 'vitest'
import type { PersonalApiKeyRow } from '../../../../services/core/metadata/metadata-tables.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { createAuthenticate } from '../../../../services/query-api/http/authenticate.ts'
import { createKeyLookup, KEY_BELIEVED_MS } from '../../../../services/query-api/keys/key-lookup.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'
import { controlView } from '../../../helpers/memory-control.ts'
import { testKey } from '../recording-environment.ts'

const row: PersonalApiKeyRow = {
  id: 'k',
  label: 'l',
  sha256: 'hash',
  tail: 'abcd',
  previous_sha256: null,
  previous_until: null,
  scopes: '["query:read"]',
  datasets: '["shop"]',
  created_at: 0,
  created_by: 'administrator',
  rolled_at: null,
  expires_at: null,
  last_used_at: null,
}

function recordingStore(failing: { find?: boolean; note?: boolean } = {}) {
  const effects: string[] = []
  const clock = createManualClock(Date.parse('2026-11-22T12:30:00Z'))
  const lines: string[] = []
  const lookup = createKeyLookup(
    {
      findByHash: async (sha256) => {
        effects.push(`find ${sha256}`)
        if (failing.find) throw new DependencyError('metadata', 'unavailable', 'gone')
        return sha256 === 'hash' ? row : null
      },
      noteUse: async (_id, hourMs) => {
        effects.push(`note ${new Date(hourMs).toISOString()}`)
        if (failing.note) throw new DependencyError('metadata', 'read_only', 'full')
      },
    },
    clock,
    createLogger('test', 'debug', { write: (line: string) => lines.push(line) }),
  )
  return { effects, lookup, clock, lines, failing }
}

test('a key is looked up once per stretch of time, an unknown one too', async () => {
  const { lookup, effects, clock } = recordingStore()
  expect(await lookup.find('hash')).toEqual({
    id: 'k',
    rights: { scopes: ['query:read'], datasets: ['shop'] },
  })
  await lookup.find('hash')
  expect(await lookup.find('guess')).toBe(null)
  await lookup.find('guess')
  expect(effects).toEqual(['find hash', 'note 2026-11-22T12:00:00.000Z', 'find guess'])
  await clock.advance(KEY_BELIEVED_MS)
  await lookup.find('guess')
  expect(effects.at(-1)).toBe('find guess')
})

test('what is read while a key changes is not remembered', async () => {
  const { lookup, effects } = recordingStore()
  const reading = lookup.find('hash')
  lookup.forget()
  await reading
  await lookup.find('hash')
  expect(effects.filter((effect) => effect === 'find hash')).toHaveLength(2)
})

test('use that cannot be noted closes the door to nobody', async () => {
  const { lookup, lines } = recordingStore({ note: true })
  expect(await lookup.find('hash')).toMatchObject({ id: 'k' })
  expect(lines.join('')).toContain('could not be noted')
})

test('while keys cannot be looked up nobody gets in by one that is not remembered', async () => {
  const { lookup, failing } = recordingStore()
  const authenticate = createAuthenticate({
    control: controlView(),
    findPersonalKey: lookup.find,
    adminSha256: null,
    clock: { now: () => 0 },
  })
  const credentials = { authorization: `Bearer ${testKey('personal')}`, bodyKey: null, queryKey: null }
  await expect(authenticate(credentials)).rejects.toMatchObject({ status: 401 })
  failing.find = true
  lookup.forget()
  await expect(authenticate(credentials)).rejects.toMatchObject({
    status: 503,
    body: { code: 'keys_unavailable' },
  })
})

test('a key with a wrong checksum is refused without a look-up', async () => {
  const { lookup, effects } = recordingStore()
  const authenticate = createAuthenticate({
    control: controlView(),
    findPersonalKey: lookup.find,
    adminSha256: null,
    clock: { now: () => 0 },
  })
  const key = testKey('personal')
  const wrong = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')
  for (const text of [wrong, '', 'mr_p_', 'x'.repeat(100_000), `${key}a`])
    await expect(
      authenticate({ authorization: undefined, bodyKey: null, queryKey: text }),
    ).rejects.toMatchObject({ status: 401 })
  expect(effects).toEqual([])
})
