import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { directoryContent } from '../../../../services/query-api/exports/directory-content.ts'
import { type ExportContent, ExportTooLarge } from '../../../../services/query-api/exports/export-content.ts'
import { openExportContent } from '../../../../services/query-api/exports/open-export-content.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'
import { createMemoryObjectStore } from '../../../helpers/memory-object-store.ts'

const clock = createManualClock(Date.now())
async function* pieces(...texts: (string | Error)[]) {
  for (const text of texts) {
    if (text instanceof Error) throw text
    yield text
  }
}

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-content-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const opened: Record<string, (name: string) => Promise<ExportContent>> = {
  directory: async (name) =>
    directoryContent(join(directory, name), { fileBytesMax: 100, bytesMax: 150 }, clock),
  bucket: async (name) => {
    const store = createMemoryObjectStore()
    await store.createBucket('b')
    return openExportContent(
      {
        exportStore: 'bucket',
        exportDir: join(directory, `${name}-spool`),
        exportDirBytesMax: 150,
        exportBytesMax: 100,
        exportBucket: 'b',
        s3Bucket: 'other',
      },
      store,
      clock,
    )
  },
}

describe.each(Object.keys(opened))('files of exports in a %s', (kind) => {
  const open = opened[kind] as (name: string) => Promise<ExportContent>
  const read = async (content: ExportContent, key: string) => {
    const found = await content.open(key)
    return found === null ? null : [found.length, Buffer.concat(await Array.fromAsync(found.body)).toString()]
  }

  test('what was written is read, a second time another, and removed it is gone', async () => {
    const content = await open(`${kind}-a`)
    expect(await read(content, 'exports/shop/1-1')).toBe(null)
    expect(await content.write('exports/shop/1-1', 'text/csv', pieces('a,b\r\n', 'é'))).toBe(7)
    expect(await read(content, 'exports/shop/1-1')).toEqual([7, 'a,b\r\né'])
    await content.write('exports/shop/1-1', 'text/csv', pieces('c'))
    expect(await read(content, 'exports/shop/1-1')).toEqual([1, 'c'])
    await content.remove('exports/shop/1-1')
    await content.remove('exports/shop/1-1')
    expect(await read(content, 'exports/shop/1-1')).toBe(null)
  })

  test('one that breaks off or grows too large leaves nothing', async () => {
    const content = await open(`${kind}-b`)
    const writing = (...texts: (string | Error)[]) => content.write('k/1', 'text/csv', pieces(...texts))
    await expect(writing('part', new Error('cut'))).rejects.toThrow('cut')
    await expect(writing('x'.repeat(60), 'x'.repeat(60))).rejects.toThrow(ExportTooLarge)
    expect(await read(content, 'k/1')).toBe(null)
  })
})

test('all files together have a bound, and what was killed in the middle goes after a day', async () => {
  const own = join(directory, 'bounded')
  const content = directoryContent(own, { fileBytesMax: 100, bytesMax: 150 }, clock)
  await content.write('k/1', 'text/csv', pieces('x'.repeat(90)))
  const second = () => content.write('k/2', 'text/csv', pieces('x'.repeat(70)))
  await expect(second()).rejects.toMatchObject({ dependency: 'disk', code: 'read_only' })
  await content.remove('k/1')
  await second()
  expect(await readdir(join(own, 'parts'))).toEqual([])
})
