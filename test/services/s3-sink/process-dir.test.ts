import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openProcessDir } from '../../../services/s3-sink/process-dir.ts'

test('what killed processes left is removed, what living ones use is not', () => {
  const parent = mkdtempSync(join(tmpdir(), 'process-dir-'))
  onTestFinished(() => rmSync(parent, { recursive: true }))
  const dirs = {
    dead: '4194304-old',
    alive: `${process.ppid}-used`,
    same: `${process.pid}-old`,
    other: 'notes',
  }
  for (const name of Object.values(dirs)) {
    mkdirSync(join(parent, name))
    writeFileSync(join(parent, name, 'spool'), 'x')
  }
  const own = openProcessDir(parent)
  expect(Object.values(dirs).map((name) => existsSync(join(parent, name)))).toEqual([
    false,
    true,
    false,
    true,
  ])
  expect(existsSync(own)).toBe(true)
})
