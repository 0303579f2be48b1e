import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FAULT_MATRIX, renderMatrix } from './fault-matrix.ts'
import { FAULTS } from './faults.ts'

const ROWS = 58
const root = join(import.meta.dirname, '../..')

test('every fault of the list is there once, and has a run, a test or a reason', () => {
  expect(FAULT_MATRIX.map(({ row }) => row)).toEqual(Array.from({ length: ROWS }, (_, index) => index + 1))
  const inflicted = new Set(FAULTS.flatMap(({ rows }) => rows))
  for (const { row, inLoad, tests = [], not } of FAULT_MATRIX)
    expect(inflicted.has(row) || inLoad || tests.length > 0 || not !== undefined, `row ${row}`).toBe(true)
  expect([...inflicted].filter((row) => row < 1 || row > ROWS)).toEqual([])
})

test.each(
  FAULT_MATRIX.flatMap(({ row, tests = [] }) => tests.map(([file, name]) => [row, file, name] as const)),
)('fault %i is tried where it is said to be: %s', (_row, file, name) => {
  expect(existsSync(join(root, file))).toBe(true)
  if (name !== undefined) expect(readFileSync(join(root, file), 'utf8')).toContain(name)
})

test('a row tells how often all faults that stand for it were inflicted', () => {
  const of = (row: number) => FAULTS.filter(({ rows }) => rows.includes(row)).map(({ name }) => name)
  const [first] = of(16)
  const table = renderMatrix({ [first!]: 1_234, ...Object.fromEntries(of(31).map((name) => [name, 2])) })
  const line = (row: number) => table.split('\n').find((each) => each.startsWith(`| ${row} |`))
  expect(line(16)).toBe('| 16 | everything is killed at once | chaos, 1,234 times |')
  expect(line(31)).toContain(`chaos, ${2 * of(31).length} times`)
  expect(line(20)).toContain('in the load of every run; `services/enricher/exactly-once`')
  expect(line(28)).toContain('not run for so long')
})
