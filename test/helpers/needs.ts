import { spawnSync } from 'node:child_process'
import { JAR_ENGINES, jarsFetched } from '../../infra/engines/jars.ts'
import { asOrdinaryUser } from '../../infra/engines/ordinary-user.ts'
import { chromiumPath } from './chromium.ts'

declare module 'vitest' {
  interface TaskMeta {
    /** What the machine lacks for this test; the reporter prints it. */
    needs?: string
  }
}

/** What a test may need of the machine: the words for it, and whether it is there. */
const NEEDS = {
  java: {
    words:
      'Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17)',
    there: () => Number(/version "(?:1\.)?(\d+)/.exec(outputOf('java', ['-version']) ?? '')?.[1] ?? 0) >= 17,
  },
  jars: {
    words: 'the engines’ jars (Debian: apt-get install maven; macOS: brew install maven; then: make setup)',
    there: () => JAR_ENGINES.every(jarsFetched) || outputOf('mvn', ['--version']) !== null,
  },
  postgres: {
    words:
      'PostgreSQL, which comes with make setup and, for root, needs user namespaces (unshare --user --map-user)',
    there: () =>
      (jarsFetched('postgres') || outputOf('mvn', ['--version']) !== null) &&
      outputOf(...asOrdinaryUser('true', [])) !== null,
  },
  redis: {
    words: 'Redis, which comes with make setup',
    there: () => jarsFetched('redis') || outputOf('mvn', ['--version']) !== null,
  },
  chdb: {
    words: 'chdb, which has no build for this platform',
    there: () => outputOf(process.execPath, ['-e', "require.resolve('chdb')"]) !== null,
  },
  'clickhouse-server': {
    words: 'a ClickHouse server (MILLRACE_TEST_CLICKHOUSE_URL)',
    there: () => Boolean(process.env.MILLRACE_TEST_CLICKHOUSE_URL),
  },
  docker: {
    words: 'a running Docker daemon',
    there: () => outputOf('docker', ['info']) !== null,
  },
  pyarrow: {
    words: 'Python with pyarrow (pip install pyarrow)',
    there: () => outputOf('python3', ['-c', 'import pyarrow']) !== null,
  },
  kcat: {
    words: 'kcat (Debian: apt-get install kcat; macOS: brew install kcat)',
    there: () => outputOf('kcat', ['-V']) !== null,
  },
  chromium: {
    words: 'Chromium (Debian: apt-get install chromium; macOS: brew install --cask chromium)',
    there: () => chromiumPath() !== null,
  },
  openssl: {
    words: 'the openssl command (Debian: apt-get install openssl; macOS: brew install openssl)',
    there: () => outputOf('openssl', ['version']) !== null,
  },
  'user-namespaces': {
    words: 'a Linux that lets everybody mount in a user namespace of his own (unshare --user --mount)',
    there: () => outputOf('unshare', ['--user', '--map-root-user', '--mount', 'true']) !== null,
  },
  go: {
    words: 'Go (Debian: apt-get install golang; macOS: brew install go)',
    there: () => outputOf('go', ['version']) !== null,
  },
} as const

export type Need = keyof typeof NEEDS

/** Standard output and error of a command that succeeds, else null. */
function outputOf(command: string, args: readonly string[]): string | null {
  const run = spawnSync(command, [...args], { encoding: 'utf8', timeout: 30_000 })
  return run.status === 0 ? run.stdout + run.stderr : null
}

const known = new Map<Need, boolean>()

/** The words for the first of these that the machine lacks, null when everything is there. */
export function lacking(...needs: readonly Need[]): string | null {
  for (const need of needs) {
    const there = known.get(need) ?? NEEDS[need].there()
    known.set(need, there)
    if (!there) return NEEDS[need].words
  }
  return null
}

/**
 * Options of a test or suite that cannot run everywhere: `test('…', needs('kcat'), async () => …)`. Where something
 * is lacking the test is not run and the report says so and why; a test skipped in any other way counts as failed.
 */
export function needs(...all: readonly Need[]): { readonly skip?: true; readonly meta?: { needs: string } } {
  const words = lacking(...all)
  return words === null ? {} : { skip: true, meta: { needs: words } }
}

/** What the whole `engines` project needs. */
export const ENGINE_NEEDS = ['java', 'jars', 'chdb'] as const satisfies readonly Need[]
export const ENGINE_TESTS = ['test/integration/**/*.test.ts', 'test/e2e/**/*.test.ts']
