import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'

const millrace = join(import.meta.dirname, '../../bin/millrace')
const stateDir = mkdtempSync(join(tmpdir(), 'millrace-demo-'))

afterAll(() => rmSync(stateDir, { recursive: true, force: true }))

/** Engines and stages of its own, as a user starts it; without a terminal it ends by itself. */
async function demo() {
  // All its ports move together: anywhere up to where outgoing connections take theirs.
  const offset = String(((await freePort()) % 9_000) + 1_000)
  const args = ['demo', '--events', '3000', '--state', stateDir, '--port-offset', offset]
  return spawnSync(millrace, args, { encoding: 'utf8', timeout: 400_000 })
}

test('the demo kills its enricher, balances and ends, and again on what it kept', {
  timeout: 900_000,
}, async () => {
  for (const run of [1, 2]) {
    const { status, stdout, stderr } = await demo()
    expect({ status, stderr }, stdout).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain('kill -9 enricher, in the middle of the traffic')
    expect(stdout).toMatch(/All 24 lines balance\./)
    expect(stdout).toMatch(new RegExp(`run ${run}: [23],\\d{3} events acknowledged in`))
    expect(stdout).toContain('1 process was killed and restarted')
    expect(stdout).toContain(`Dashboard ${run} (Shop, run ${run}) was made from the template e-commerce.`)
    expect(stdout).toMatch(/ {2}Way to a purchase: product_view \d+ → add_to_cart \d+ → purchase \d+\n/)
    expect(stdout).toMatch(/stopping: stages finish what they accepted/)
  }
})
