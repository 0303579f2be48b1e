import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { HURT_FILE, type Hurt, writeHurt } from './hurt-process.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-hurt-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** What a program prints in a process that suffers from something. */
function run(hurt: Hurt, program: string): string {
  const file = join(directory, 'hurt')
  writeHurt(file, hurt)
  return execFileSync(
    process.execPath,
    ['--import', join(import.meta.dirname, 'hurt-process.ts'), '--input-type=module', '--eval', program],
    { encoding: 'utf8', env: { ...process.env, [HURT_FILE]: file } },
  ).trim()
}

test('the wall clock is another one wherever it is read, and only the wall clock', () => {
  const shiftMs = 100 * 365 * 86_400_000
  const [now, made, called, given, elapsed] = JSON.parse(
    run(
      { clock: { shiftMs, rate: 1, sinceMs: 0 } },
      `const before = performance.now()
       console.log(JSON.stringify([Date.now(), new Date().getTime(), Date.parse(Date()), new Date(5).getTime(), performance.now() - before]))`,
    ),
  ) as number[]
  for (const read of [now, made, called]) expect(new Date(read!).getUTCFullYear()).toBeGreaterThan(2100)
  expect(given).toBe(5)
  expect(elapsed).toBeLessThan(shiftMs)
})

test('a clock that runs twice as fast is ahead by the time that has passed', () => {
  const sinceMs = Date.now() - 3_600_000
  const ahead =
    Number(run({ clock: { shiftMs: 0, rate: 2, sinceMs } }, 'console.log(Date.now())')) - Date.now()
  expect(ahead).toBeGreaterThan(3_000_000)
})

test('a sync that fails loses what it was to make safe, and nothing before it', () => {
  const file = join(directory, 'data')
  const program = `
    import { open, writeFile } from 'node:fs/promises'
    const handle = await open(${JSON.stringify(file)}, 'w')
    await handle.write('safe')
    await handle.datasync()
    await writeFile(process.env.${HURT_FILE}, '{"syncFails":true}')
    const tries = async () => {
      await handle.write('gone')
      return handle.datasync().then(() => 'synced', (error) => error.code)
    }
    let came = await tries()
    for (; came === 'synced'; came = await tries()) await new Promise((resolve) => setTimeout(resolve, 50))
    console.log(came)
    await handle.close()`
  expect(run({}, program)).toBe('EIO')
  expect(readFileSync(file, 'latin1')).toMatch(/^safe(gone)*\0{4}$/)
})
