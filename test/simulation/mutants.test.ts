import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PLANTED_BUGS, plant } from './planted-bugs.ts'
import { runSeeds } from './seed-pool.ts'

const root = join(import.meta.dirname, '../..')

test('a bug whose line is gone, or stands twice, is refused', () => {
  const bug = { name: 'b', file: 'f.ts', edits: [['a + 1', 'a']] as const }
  expect(() => plant(bug, 'a + 2')).toThrow('stands 0 times')
  expect(() => plant(bug, 'a + 1; a + 1')).toThrow('stands 2 times')
  expect(plant(bug, 'b = a + 1')).toBe('b = a')
})

test('every planted bug still changes the code that is shipped', () => {
  expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(20)
  expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length)
  for (const bug of PLANTED_BUGS) {
    const source = readFileSync(join(root, bug.file), 'utf8')
    expect(plant(bug, source)).not.toBe(source)
  }
})

/** Those that show in nearly every history; `make mutants` looks for all. */
test.each([
  'a receipt ends one late',
  'another payload under a taken id is taken too',
  'a filter is off by one',
])('the oracle sees that %s', async (bug) => {
  const verdicts: string[] = []
  await runSeeds({
    from: 1,
    to: 5,
    processes: 1,
    bug,
    onResult(result) {
      verdicts.push('crash' in result ? result.crash : result.verdict)
      return verdicts.at(-1) !== 'oracle'
    },
  })
  expect(verdicts.at(-1)).toBe('oracle')
})
