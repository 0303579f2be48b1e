import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/helpers/longest-first.ts'
import { ENGINE_NEEDS, ENGINE_TESTS, lacking } from './test/helpers/needs.ts'

/**
 * Files at a time. Equal for both projects, so that unit tests fill the workers while the last of the engines' tests
 * run; three at least, since those mostly wait, and not many, since each may start a whole system of its own.
 */
const WORKERS = Math.min(4, Math.max(3, availableParallelism() - 1))

/** A bound against hanging, ms, and no claim about speed: a busy machine takes ten times as long. */
const HANGING_MS = 400_000

/** How long `expect.poll` looks, ms: its own second is over before a busy machine has done anything. */
const POLL_MS = 15_000

/**
 * `unit` needs nothing and runs in seconds; `engines` runs on a real Kafka, S3 server and ClickHouse engine that
 * `test/helpers/start-engines.ts` starts once for the whole run. Where the machine cannot run the engines, their
 * tests are left out and the reporter says so.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/helpers/summary-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ENGINE_TESTS,
          // Files of one worker share its modules: loading them again for each took two fifths of the CPU time.
          isolate: false,
          testTimeout: HANGING_MS,
          expect: { poll: { timeout: POLL_MS } },
          hookTimeout: HANGING_MS,
          maxWorkers: WORKERS,
        },
      },
      {
        test: {
          name: 'engines',
          include: lacking(...ENGINE_NEEDS) === null ? ENGINE_TESTS : [],
          globalSetup: ['test/helpers/start-engines.ts'],
          testTimeout: HANGING_MS,
          expect: { poll: { timeout: POLL_MS } },
          hookTimeout: HANGING_MS,
          maxWorkers: WORKERS,
        },
      },
    ],
  },
})
