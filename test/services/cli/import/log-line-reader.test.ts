import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import { readLogLines, splitLines } from '../../../../services/cli/import/log-line-reader.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-lines-'))
afterAll(() => rmSync(directory, { recursive: true }))

async function linesOf(path: string, max = 1000): Promise<(string | null)[]> {
  const lines: (string | null)[] = []
  for await (const line of readLogLines(path, max)) lines.push(line.bytes?.toString() ?? null)
  return lines
}

test('lines come out the same however the bytes are cut into chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ maxLength: 12 }).map((text) => text.replaceAll('\n', ''))),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      fc.boolean(),
      async (lines, cuts, ends) => {
        const text = lines.join('\n') + (ends && lines.length > 0 ? '\n' : '')
        const bytes = Buffer.from(text)
        async function* chunks() {
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const length = cuts[i % cuts.length]!
            yield bytes.subarray(at, at + length)
            at += length
          }
        }
        const expected = text.split('\n')
        if (expected[expected.length - 1] === '') expected.pop()
        const got: string[] = []
        let lastTerminated = true
        for await (const line of splitLines(chunks(), 1000)) {
          got.push(line.bytes?.toString() ?? 'too long')
          lastTerminated = line.terminated
        }
        expect(got).toEqual(expected)
        if (got.length > 0) expect(lastTerminated).toBe(text.endsWith('\n'))
      },
    ),
  )
})

test('a line of exactly the limit is whole, one byte more is handed out without its bytes', async () => {
  const path = join(directory, 'limit.log')
  writeFileSync(path, `${'a'.repeat(10)}\n${'b'.repeat(11)}\n${'c'.repeat(1_000_000)}\nd\n`)
  expect(await linesOf(path, 10)).toEqual(['a'.repeat(10), null, null, 'd'])
})

test('gzip is told by its bytes, several members are one file', async () => {
  const path = join(directory, 'zipped.log')
  writeFileSync(path, Buffer.concat([gzipSync('one\ntwo\nthr'), gzipSync('ee\nfour')]))
  expect(await linesOf(path)).toEqual(['one', 'two', 'three', 'four'])
})

test('a gzip file that was cut off is an error, after the lines that are there', async () => {
  const path = join(directory, 'cut.log.gz')
  writeFileSync(path, gzipSync('one\ntwo\n'.repeat(1000)).subarray(0, 30))
  await expect(linesOf(path)).rejects.toThrow(/unexpected end of file/)
})

test('a file that is not there is an error', async () => {
  await expect(linesOf(join(directory, 'none.log'))).rejects.toThrow(/ENOENT/)
})
