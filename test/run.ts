import { spawn } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockHolder } from '../services/core/runtime/process-lock.ts'
import type { Summary } from './helpers/summary-reporter.ts'

/**
 * `node test/run.ts [all|unit|check]`: the static checks, then the tests, then exactly one last line
 * `N passed, N failed` that counts each check as one. Exits 0 only when something passed and nothing failed.
 */
const ROOT = join(import.meta.dirname, '..')
const BIN = join(ROOT, 'node_modules')
/** A run that hangs must still end with its line, inside the time that a CI job has. */
const TESTS_TIMEOUT_MS = 60 * 60_000

interface Count {
  readonly passed: number
  readonly failed: number
}

const children = new Set<number>()
const stateDirs = new Set<string>()

/** Runs a command of Node's; resolves with its exit status, or null when it was killed or took too long. */
function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<number | null> {
  return new Promise((resolve) => {
    // A process group of its own, so that nothing the tests started outlives them.
    const child = spawn(process.execPath, [...args], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
      env: { ...process.env, ...env },
    })
    const pid = child.pid as number
    children.add(pid)
    const limit = setTimeout(() => {
      process.stdout.write(`Stopped: not done after ${TESTS_TIMEOUT_MS / 60_000} minutes.\n`)
      endGroup(pid)
    }, TESTS_TIMEOUT_MS)
    child.once('exit', (code) => {
      clearTimeout(limit)
      endGroup(pid)
      children.delete(pid)
      resolve(code)
    })
  })
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}

async function check(name: string, args: readonly string[]): Promise<Count> {
  const started = performance.now()
  const ok = (await run(args)) === 0
  process.stdout.write(
    `${ok ? 'ok' : 'FAILED'}: ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)\n`,
  )
  return ok ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 }
}

async function tests(args: readonly string[]): Promise<Count> {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  stateDirs.add(dir)
  const file = join(dir, 'summary.json')
  const status = await run([join(BIN, 'vitest/vitest.mjs'), 'run', ...args], {
    MILLRACE_TEST_SUMMARY: file,
    MILLRACE_TEST_STATE: join(dir, 'engines'),
    // Workers and what they start load the same libraries again and again: compiled once is enough.
    NODE_COMPILE_CACHE: join(ROOT, '.millrace/compile-cache'),
  })
  // No summary: the runner itself fell over.
  const summary: Summary | null = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
  removeState(dir)
  if (!summary) return { passed: 0, failed: 1 }
  const { passed, failed } = summary
  return { passed, failed: status === 0 || failed > 0 ? failed : 1 }
}

/** Engines have process groups of their own: those of a run that was cut off are ended by their locks. */
function removeState(dir: string): void {
  for (const lock of globSync('engines/*/*.pid', { cwd: dir })) {
    const holder = lockHolder(join(dir, lock))
    if (holder) process.kill(holder.pid, 'SIGKILL')
  }
  rmSync(dir, { recursive: true, force: true })
  stateDirs.delete(dir)
}

const STEPS: Readonly<Record<string, () => Promise<readonly Count[]>>> = {
  check: async () => [
    await check('biome', [join(BIN, '@biomejs/biome/bin/biome'), 'check', '.']),
    await check('tsc', [join(BIN, 'typescript/bin/tsc'), '--noEmit']),
    await tests(['--project', 'unit', 'test/layout.test.ts']),
  ],
  unit: async () => [await tests(['--project', 'unit'])],
  all: async () => [
    await check('biome', [join(BIN, '@biomejs/biome/bin/biome'), 'check', '.']),
    await check('tsc', [join(BIN, 'typescript/bin/tsc'), '--noEmit']),
    await tests([]),
  ],
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    for (const pid of children) endGroup(pid)
    for (const dir of stateDirs) removeState(dir)
    process.exit(130)
  })
}
const steps = STEPS[process.argv[2] ?? 'all']
if (!steps) {
  process.stderr.write(`Usage: node test/run.ts [${Object.keys(STEPS).join('|')}]\n`)
  process.exit(2)
}
const counts = await steps()
const passed = counts.reduce((sum, count) => sum + count.passed, 0)
const failed = counts.reduce((sum, count) => sum + count.failed, 0)
process.stdout.write(`${passed} passed, ${passed + failed === 0 ? 1 : failed} failed\n`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
