import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openRotatingLog } from '../../../../services/cli/supervisor/rotating-log.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-log-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('whatever is written, two files within their bound hold its end', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 30 }), (chunks) => {
      const file = join(dir, 'a.log')
      rmSync(file, { force: true })
      rmSync(`${file}.1`, { force: true })
      const log = openRotatingLog(file, 64)
      for (const chunk of chunks) log.write(chunk)
      log.close()
      const files = readdirSync(dir)
      expect(files.length).toBeLessThanOrEqual(2)
      for (const name of files) expect(statSync(join(dir, name)).size).toBeLessThanOrEqual(64)
      const before = existsSync(`${file}.1`) ? readFileSync(`${file}.1`) : Buffer.alloc(0)
      const kept = Buffer.concat([before, readFileSync(file)])
      const all = Buffer.concat(chunks)
      expect(kept.equals(all.subarray(all.length - kept.length))).toBe(true)
      expect(kept.length).toBeGreaterThanOrEqual(Math.min(all.length, 25))
    }),
  )
})

test('a log goes on where an earlier process left it', () => {
  const file = join(dir, 'logs/a.log')
  for (const text of ['one\n', 'two\n']) {
    const log = openRotatingLog(file, 7)
    log.write(Buffer.from(text))
    log.close()
  }
  expect(readFileSync(`${file}.1`, 'utf8')).toBe('one\n')
  expect(readFileSync(file, 'utf8')).toBe('two\n')
})
