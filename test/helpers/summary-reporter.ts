import { globSync, writeFileSync } from 'node:fs'
import type { Reporter, TestModule, Vitest } from 'vitest/node'
import { ENGINE_NEEDS, ENGINE_TESTS, lacking } from './needs.ts'

/** The run in numbers. A fault is anything that counts as failed without being a failed test. */
export interface Summary {
  readonly passed: number
  readonly failed: number
  readonly faults: readonly string[]
  /** Per thing that the machine lacks: what did not run because of it. */
  readonly notRun: Readonly<Record<string, readonly string[]>>
}

/** The part of a collected test, suite or file that the summary reads. */
export interface ReportedTask {
  readonly type: string
  readonly name?: string
  readonly fullName?: string
  readonly relativeModuleId?: string
  readonly parent?: ReportedTask
  readonly children?: { allTests(): Iterable<ReportedTask>; allSuites(): Iterable<ReportedTask> }
  result?(): { readonly state: string }
  errors?(): readonly { readonly message?: string }[]
  meta?(): { readonly needs?: string }
}

/**
 * Counts a run. Failed are: failed tests, tests that never finished, tests skipped without a stated need, files and
 * suites that could not be loaded or set up, errors outside any test.
 *
 * @param filtered a name filter was given, so that skipped tests are meant to be skipped
 */
export function summarize(
  modules: readonly ReportedTask[],
  unhandled: readonly { readonly message?: string }[],
  filtered: boolean,
): Summary {
  let passed = 0
  let failed = 0
  const faults: string[] = []
  const notRun: Record<string, string[]> = {}
  for (const module of modules) {
    for (const task of [module, ...(module.children?.allSuites() ?? [])]) {
      for (const error of task.errors?.() ?? []) faults.push(`${nameOf(module, task)}: ${firstLine(error)}`)
    }
    for (const test of module.children?.allTests() ?? []) {
      const state = test.result?.().state
      const need = neededBy(test)
      if (state === 'passed') passed++
      else if (state === 'failed') failed++
      else if (state === 'skipped' && need !== null)
        notRun[need] = [...(notRun[need] ?? []), nameOf(module, test)]
      else if (state === 'skipped' && filtered) continue
      else
        faults.push(
          `${nameOf(module, test)}: ${state === 'skipped' ? 'skipped without a stated need' : 'never finished'}`,
        )
    }
  }
  for (const error of unhandled) faults.push(`outside any test: ${firstLine(error)}`)
  return { passed, failed: failed + faults.length, faults, notRun }
}

function neededBy(test: ReportedTask): string | null {
  for (let task: ReportedTask | undefined = test; task; task = task.parent) {
    const need = task.meta?.().needs
    if (need !== undefined) return need
  }
  return null
}

function nameOf(module: ReportedTask, task: ReportedTask): string {
  const file = module.relativeModuleId ?? module.name ?? '?'
  return task === module ? file : `${file} > ${task.fullName ?? task.name}`
}

function firstLine(error: { readonly message?: string }): string {
  return (error.message ?? String(error)).split('\n')[0] as string
}

/** One `not run: needs …` line per thing lacking, then one line per fault. */
export function summaryLines(summary: Summary): string[] {
  return [
    ...Object.entries(summary.notRun).map(
      ([need, tests]) =>
        `not run: needs ${need}: ${tests.slice(0, 3).join(', ')}${tests.length > 3 ? ` and ${tests.length - 3} more` : ''}`,
    ),
    ...summary.faults.map((fault) => `counts as failed: ${fault}`),
  ]
}

/**
 * Prints what did not run and why, and last `N passed, N failed`. With `MILLRACE_TEST_SUMMARY` set, the numbers go
 * to that file instead, for whoever has more to count.
 */
export default class SummaryReporter implements Reporter {
  #vitest: Vitest | null = null

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly { readonly message?: string }[]): void {
    const filtered = this.#vitest?.config.testNamePattern !== undefined
    const tests = summarize(modules as unknown as readonly ReportedTask[], unhandled, filtered)
    const engines = this.#vitest?.projects.some((project) => project.name === 'engines')
    const lack = engines ? lacking(...ENGINE_NEEDS) : null
    const notRun = lack === null ? tests.notRun : { ...tests.notRun, [lack]: globSync(ENGINE_TESTS) }
    const summary = { ...tests, notRun }
    if (summary.failed > 0) process.exitCode = 1
    for (const line of summaryLines(summary)) process.stdout.write(`${line}\n`)
    const file = process.env.MILLRACE_TEST_SUMMARY
    if (file) writeFileSync(file, JSON.stringify(summary))
    else process.stdout.write(`${summary.passed} passed, ${summary.failed} failed\n`)
  }
}
