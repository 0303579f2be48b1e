import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { MUTANTS } from './mutants.ts'
import { planted } from './run-mutants.ts'

const ROOT = join(import.meta.dirname, '../..')

test('every planted fault still has its place in the source, exactly once', () => {
  const lost = MUTANTS.filter((mutant) => {
    const source = readFileSync(join(ROOT, mutant.file), 'utf8')
    try {
      return planted(source, mutant) === source
    } catch {
      return true
    }
  })
  expect(lost.map(({ name }) => name)).toEqual([])
  expect(MUTANTS.length).toBeGreaterThanOrEqual(20)
})
