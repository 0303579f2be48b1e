import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { Command, CommanderError } from 'commander'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { registerConfig } from '../../../../services/cli/commands/config.ts'
import { registerKey } from '../../../../services/cli/commands/key.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-config-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => {
  process.exitCode = undefined
  vi.restoreAllMocks()
})

/** Runs the command line in this process. @returns what it printed */
async function millrace(...args: string[]): Promise<string> {
  let printed = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text)
    return true
  })
  const program = new Command('millrace').exitOverride().configureOutput({ writeErr: () => undefined })
  registerConfig(program)
  registerKey(program)
  await program.parseAsync(args, { from: 'user' })
  return printed
}

function file(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

test('config check ends with status 1 and names every fault, for people and for machines', async () => {
  const bad = file('bad.yaml', 'version: 1\ndatasets:\n  - { id: shop, acount: acme }\n')
  expect(await millrace('config', 'check', bad)).toBe(
    `${bad}:3:5  datasets[0]: "account" is missing.
${bad}:3:17  datasets[0].acount: "acount" is not a setting here; did you mean "account"?
${bad}: 2 faults.
`,
  )
  expect(process.exitCode).toBe(1)
  expect(JSON.parse(await millrace('config', 'check', bad, '--json'))).toMatchObject({
    ok: false,
    faults: [{ path: 'datasets[0]', line: 3, column: 5 }, { path: 'datasets[0].acount' }],
  })
})

test('a file without faults leaves the exit status alone', async () => {
  const good = file('good.yaml', 'version: 1\ndatasets:\n  - { id: shop, account: acme }\n')
  expect(await millrace('config', 'check', good)).toBe(`${good}: no faults, 1 objects.\n`)
  expect(process.exitCode).toBeUndefined()
})

test('a file that is not there is a sentence that says what to do', async () => {
  await expect(millrace('config', 'check', join(folder, 'nowhere.yaml'))).rejects.toThrow(
    /nowhere.yaml cannot be read. Name the file/,
  )
})

test('the printed JSON Schema takes a right file and refuses a wrong one', async () => {
  const validate = new Ajv().compile(JSON.parse(await millrace('config', 'schema')))
  expect(validate({ version: 1, datasets: [{ id: 'shop', account: 'acme' }] })).toBe(true)
  expect(validate({ version: 1, datasets: [{ id: 'shop', account: 'acme', x: 1 }] })).toBe(false)
})

test('key new needs to know what the key opens', async () => {
  await expect(millrace('key', 'new', '--dataset', 'shop')).rejects.toThrow(CommanderError)
  await expect(millrace('key', 'new', '--dataset', 'shop', '--scope', 'admin')).rejects.toThrow(
    CommanderError,
  )
  expect(await millrace('key', 'new', '--dataset', 'shop', '--scope', 'read')).toMatch(/^mr_r_\w{36}\n/)
})
