import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ObjectStore } from '../../services/core/object-store/object-store.ts'
import { DependencyError } from '../../services/core/runtime/errors.ts'

/** What every object store must do. `open` gives the store; the suite makes its own bucket. */
export function objectStoreContract(name: string, open: () => ObjectStore): void {
  describe(`object store contract: ${name}`, () => {
    const bucket = `contract-${randomUUID()}`
    let store: ObjectStore
    let dir: string
    const put = (key: string, text: string) =>
      store.putIfAbsent(bucket, key, { bytes: Buffer.from(text) }, { contentType: 'text/plain' })
    const keysUnder = async (prefix: string, startAfter?: string) =>
      (await Array.fromAsync(store.list(bucket, prefix, startAfter))).map(({ key }) => key)

    beforeAll(async () => {
      store = open()
      dir = await mkdtemp(join(tmpdir(), 'object-store-'))
      await store.createBucket(bucket)
    })
    afterAll(async () => {
      for await (const { key } of store.list(bucket, '')) await store.delete(bucket, key)
      store.close()
      await rm(dir, { recursive: true })
    })

    test('a second write of a key is refused and changes nothing', async () => {
      await put('once', 'first')
      await expect(put('once', 'second')).rejects.toMatchObject({
        name: 'DependencyError',
        dependency: 's3',
        code: 'precondition_failed',
        retriable: false,
      })
      expect((await store.get(bucket, 'once'))?.toString()).toBe('first')
    })

    test('of twenty racers for one key exactly one wins, and its bytes are what is stored', async () => {
      const racers = Array.from({ length: 20 }, (_, index) => `racer ${index}`)
      const outcomes = await Promise.allSettled(racers.map((racer) => put('race', racer)))
      const winners = racers.filter((_, index) => outcomes[index]!.status === 'fulfilled')
      expect(winners).toHaveLength(1)
      expect((await store.get(bucket, 'race'))?.toString()).toBe(winners[0])
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason.code).toBe('precondition_failed')
    })

    test('what is not there is null, and a missing bucket is an error', async () => {
      expect(await store.get(bucket, 'absent')).toBeNull()
      expect(await store.head(bucket, 'absent')).toBeNull()
      expect(await store.download(bucket, 'absent', join(dir, 'absent'))).toBeNull()
      const nowhere = `contract-${randomUUID()}`
      await expect(store.get(nowhere, 'x')).rejects.toBeInstanceOf(DependencyError)
      await expect(
        store.putIfAbsent(nowhere, 'x', { bytes: Buffer.alloc(1) }, { contentType: 'text/plain' }),
      ).rejects.toMatchObject({ code: 'not_found' })
    })

    test('bytes come back as they went in, whole, by range and as a file', async () => {
      const bytes = randomBytes(3 * 1024 * 1024 + 17)
      const file = join(dir, 'upload')
      await writeFile(file, bytes)
      await store.putIfAbsent(
        bucket,
        'large',
        { file, length: bytes.length },
        { contentType: 'application/octet-stream', metadata: { rows: '12', 'row-digest': 'ab' } },
      )
      expect((await store.get(bucket, 'large'))?.equals(bytes)).toBe(true)
      expect(await store.get(bucket, 'large', { start: 5, end: 5 })).toEqual(bytes.subarray(5, 6))
      expect(await store.get(bucket, 'large', { start: 10, end: 99 })).toEqual(bytes.subarray(10, 100))
      const copy = join(dir, 'copy')
      expect(await store.download(bucket, 'large', copy)).toBe(bytes.length)
      expect((await readFile(copy)).equals(bytes)).toBe(true)
      expect(await store.head(bucket, 'large')).toEqual({
        length: bytes.length,
        metadata: { rows: '12', 'row-digest': 'ab' },
      })
    })

    test('an empty object is an object', async () => {
      await put('empty', '')
      expect(await store.head(bucket, 'empty')).toEqual({ length: 0, metadata: {} })
      expect(await store.get(bucket, 'empty')).toEqual(Buffer.alloc(0))
    })

    test('keys are listed in order, under a prefix, after a key', async () => {
      for (const key of ['list/b', 'list/a/2', 'list/a/1', 'list-x', 'list/c']) await put(key, key)
      expect(await keysUnder('list/')).toEqual(['list/a/1', 'list/a/2', 'list/b', 'list/c'])
      expect(await keysUnder('list/', 'list/a/2')).toEqual(['list/b', 'list/c'])
      expect(await keysUnder('list/', 'list/a/9')).toEqual(['list/b', 'list/c'])
      expect(await keysUnder('nothing/')).toEqual([])
      expect((await Array.fromAsync(store.list(bucket, 'list/b')))[0]).toEqual({ key: 'list/b', length: 6 })
    })

    test('odd keys are kept apart and come back as they are', async () => {
      const odd = [
        'odd/dataset=a b/dt=2026-01-01/x',
        'odd/plus+and%20percent/x',
        'odd/ümläut/日本/x',
        "odd/quote'(paren)*!/x",
        'odd/a&b;c,d:e@f$g/x',
      ]
      for (const key of odd) await put(key, key)
      expect(new Set(await keysUnder('odd/'))).toEqual(new Set(odd))
      for (const key of odd) expect((await store.get(bucket, key))?.toString()).toBe(key)
    })

    test('deleting removes, also what was not there', async () => {
      await put('gone', 'x')
      await store.delete(bucket, 'gone')
      await store.delete(bucket, 'gone')
      expect(await store.head(bucket, 'gone')).toBeNull()
      await put('gone', 'again')
    })

    test('making a bucket that is ours already changes nothing', async () => {
      await store.createBucket(bucket)
      expect((await keysUnder('once')).length).toBe(1)
    })
  })
}
