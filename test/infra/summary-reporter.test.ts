import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ReportedTask, summarize, summaryLines } from '../helpers/summary-reporter.ts'

const root = join(import.meta.dirname, '../..')

describe('counting', () => {
  const module = (tests: readonly ReportedTask[], errors: readonly string[] = []): ReportedTask => ({
    type: 'module',
    relativeModuleId: 'test/a.test.ts',
    children: { allTests: () => tests, allSuites: () => [] },
    errors: () => errors.map((message) => ({ message })),
  })
  const result = (name: string, state: string, parent?: ReportedTask): ReportedTask => ({
    type: 'test',
    fullName: name,
    result: () => ({ state }),
    ...(parent && { parent }),
  })

  test('a file that cannot be loaded counts as failed', () => {
    const summary = summarize([module([], ['Cannot find module'])], [], false)
    expect(summary).toMatchObject({ passed: 0, failed: 1, faults: ['test/a.test.ts: Cannot find module'] })
  })

  test('an error outside any test counts as failed', () => {
    expect(summarize([module([result('a', 'passed')])], [{ message: 'stray\nat x' }], false)).toMatchObject({
      passed: 1,
      failed: 1,
      faults: ['outside any test: stray'],
    })
  })

  test('a test that never finished counts as failed', () => {
    expect(summarize([module([result('a', 'pending')])], [], false)).toMatchObject({ passed: 0, failed: 1 })
  })

  test('a test skipped without a stated need counts as failed', () => {
    expect(summarize([module([result('a', 'skipped')])], [], false)).toMatchObject({ passed: 0, failed: 1 })
  })

  test('a test that a name filter left out does not count', () => {
    const summary = summarize([module([result('a', 'skipped'), result('b', 'passed')])], [], true)
    expect(summary).toMatchObject({ passed: 1, failed: 0, notRun: {} })
  })

  test('a test whose suite states what it needs is named as not run', () => {
    const suite: ReportedTask = { type: 'suite', meta: () => ({ needs: 'kcat' }) }
    const summary = summarize([module([result('s > a', 'skipped', suite)])], [], false)
    expect(summary).toMatchObject({ passed: 0, failed: 0, faults: [] })
    expect(summaryLines(summary)).toEqual(['not run: needs kcat: test/a.test.ts > s > a'])
  })
})

describe('a real run', () => {
  let dir = ''
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'millrace-reporter-'))
    symlinkSync(join(root, 'node_modules'), join(dir, 'node_modules'))
    writeFileSync(
      join(dir, 'mixed.test.ts'),
      `import { describe, expect, test } from 'vitest'
test('passes', () => expect(1).toBe(1))
test('fails', () => expect(1).toBe(2))
test.skip('skipped', () => {})
describe('needy', { skip: true, meta: { needs: 'an oracle' } }, () => { test('asks', () => {}) })`,
    )
    writeFileSync(join(dir, 'unloadable.test.ts'), `import './nowhere.ts'`)
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  test('ends with one line of numbers and a status that agrees', () => {
    const vitest = join(root, 'node_modules/vitest/vitest.mjs')
    const reporter = join(root, 'test/helpers/summary-reporter.ts')
    const env = { ...process.env, MILLRACE_TEST_SUMMARY: '', VITEST: '' }
    const run = spawnSync(process.execPath, [vitest, 'run', '--root', dir, '--reporter', reporter], {
      encoding: 'utf8',
      cwd: dir,
      env,
    })
    const lines = run.stdout.trimEnd().split('\n')
    expect(run.status).toBe(1)
    expect(lines.at(-1)).toBe('1 passed, 3 failed')
    expect(lines).toContain('not run: needs an oracle: mixed.test.ts > needy > asks')
    expect(lines).toContain('counts as failed: mixed.test.ts > skipped: skipped without a stated need')
    expect(lines.filter((line) => /^\d+ passed, \d+ failed$/.test(line))).toHaveLength(1)
  }, 60_000)
})
