import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { openIdentityStore } from '../../../../services/identity/store/open-identity-store.ts'
import { identityStoreContract } from '../../../contract/identity-store.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-identity-'))
let places = 0
afterAll(() => rmSync(directory, { recursive: true, force: true }))

identityStoreContract('SQLite', async () => {
  const databaseUrl = `sqlite:${join(directory, `${places++}.sqlite`)}`
  const settings = { databaseUrl, stateDir: directory, connectionsMax: 1, timeoutMs: 10_000 }
  return { open: () => openIdentityStore(settings) }
})
