import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { afterAll, expect, test } from 'vitest'
import { openDuckdbEncoder } from '../../../services/s3-sink/duckdb-encoder.ts'

const dir = mkdtempSync(join(tmpdir(), 'millrace-encoder-'))
const encoder = await openDuckdbEncoder(512 * 1024 * 1024, dir)
afterAll(() => {
  encoder.close()
  rmSync(dir, { recursive: true, force: true })
})

test('a line far longer than usual is written like any other', async () => {
  const values = ['short', 'x'.repeat(9_000_000), 'short again']
  const [from, to] = [join(dir, 'rows.ndjson'), join(dir, 'rows.parquet')]
  writeFileSync(from, values.map((a) => `${JSON.stringify({ a })}\n`).join(''))
  expect(
    await encoder.encode(
      from,
      3,
      [{ name: 'a', type: 'text', doc: '', nullable: true, group: 'identity' }],
      { format: 'parquet', pages: 'zstd' },
      to,
    ),
  ).toBeNull()
  const bytes = readFileSync(to)
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
  const rows = await parquetReadObjects({ file, compressors })
  expect(rows.map(({ a }) => (a as string).length)).toEqual(values.map((value) => value.length))
})
