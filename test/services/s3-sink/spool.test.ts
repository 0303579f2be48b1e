import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { nodeDisk, onDisk } from '../../../services/s3-sink/node-disk.ts'
import { openSpool } from '../../../services/s3-sink/spool.ts'
import { spoolBudget } from '../../../services/s3-sink/spool-budget.ts'

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'spool-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

async function textOf(chunks: AsyncIterable<Buffer>): Promise<string> {
  return Buffer.concat(await Array.fromAsync(chunks)).toString()
}

test('each path gives back its own lines in order, however they were mixed and flushed', async () => {
  const dir = directory()
  let made = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({ path: fc.constantFrom('a', 'b', 'c/d'), line: fc.string(), flush: fc.boolean() }),
        { minLength: 1, maxLength: 60 },
      ),
      async (steps) => {
        const spool = openSpool(nodeDisk(), join(dir, String(made++)))
        const expected = new Map<string, string>()
        let written = 0
        for (const { path, line, flush } of steps) {
          const clean = line.replaceAll('\n', ' ')
          spool.add(path, Buffer.from(clean), 'shop', '2026')
          expected.set(path, `${expected.get(path) ?? ''}${clean}\n`)
          if (flush) written += await spool.flush()
        }
        written += await spool.flush()
        for (const path of spool.paths()) {
          expect(await textOf(spool.read(path))).toBe(expected.get(path.path))
          expect(readFileSync(await spool.fileOf(path), 'utf8')).toBe(expected.get(path.path))
          expect(path.stats.bytes).toBe(Buffer.byteLength(expected.get(path.path)!))
        }
        expect(spool.paths().map(({ path }) => path)).toEqual([...expected.keys()].sort())
        expect(written).toBe([...expected.values()].reduce((sum, text) => sum + Buffer.byteLength(text), 0))
        await spool.remove()
      },
    ),
    { numRuns: 50 },
  )
  expect(readdirSync(dir)).toEqual([])
})

test('a spool of one path is its own file, without a copy', async () => {
  const dir = directory()
  const spool = openSpool(nodeDisk(), join(dir, 'one'))
  for (const line of ['1', '2', '3']) {
    spool.add('only', Buffer.from(line), 'shop', '2026')
    await spool.flush()
  }
  const [path] = spool.paths()
  expect(path!.segments).toEqual([0, 6])
  expect(await spool.fileOf(path!)).toBe(spool.file)
  expect(readdirSync(dir)).toEqual(['one'])
})

test('a disk that is full or failing is a dependency that may come back; other faults are ours', async () => {
  const failing = (code: string) =>
    onDisk('Writing', () => Promise.reject(Object.assign(new Error(code), { code })))
  for (const code of ['ENOSPC', 'EROFS', 'EDQUOT'])
    await expect(failing(code)).rejects.toMatchObject({
      dependency: 'disk',
      code: 'read_only',
      retriable: true,
    })
  await expect(failing('EIO')).rejects.toMatchObject({ dependency: 'disk', code: 'unavailable' })
  await expect(failing('EBADF')).rejects.not.toHaveProperty('dependency')
})

test('past four fifths of the bound the largest batch is asked to close, at the bound every one with rows', () => {
  const budget = spoolBudget(100)
  const [small, large, empty] = [budget.open(), budget.open(), budget.open()]
  const asked = () => [small, large, empty].map(({ mustClose }) => mustClose)
  small.grow(20)
  large.grow(59)
  expect(asked()).toEqual([false, false, false])
  large.grow(1)
  expect(asked()).toEqual([false, true, false])
  small.grow(20)
  expect(asked()).toEqual([true, true, false])
  large.release()
  expect(asked()).toEqual([false, false, false])
  expect(budget.usedBytes).toBe(40)
})
