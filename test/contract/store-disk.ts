import { expect, test } from 'vitest'
import type { StoreDisk } from '../../services/collector/store/store-disk.ts'

/** What every implementation of the port does; each test gets an empty directory. */
export function storeDiskContract(open: () => Promise<StoreDisk>): void {
  test('a name that is taken is not made again, and its file stays', async () => {
    const disk = await open()
    const writer = await disk.create('a')
    await writer.append(Buffer.from('first'))
    await expect(disk.create('a')).rejects.toMatchObject({ name: 'DependencyError', dependency: 'disk' })
    expect(`${await disk.read('a', 0, 10)}`).toBe('first')
    await writer.close()
    await disk.close()
  })

  test('what is not there cannot be read or cut, and is removed already', async () => {
    const disk = await open()
    await expect(disk.read('a', 0, 1)).rejects.toMatchObject({ code: 'not_found' })
    await expect(disk.truncate('a', 1)).rejects.toMatchObject({ code: 'not_found' })
    await disk.remove('a')
    expect(await disk.list()).toEqual([])
    await disk.close()
  })

  test('bytes are appended, read from anywhere, also while the file is written, and fewer where it ends', async () => {
    const disk = await open()
    const writer = await disk.create('a')
    await writer.append(Buffer.from('0123'))
    await writer.sync()
    expect(`${await disk.read('a', 1, 2)}`).toBe('12')
    await writer.append(Buffer.from('456'))
    await writer.sync()
    expect(`${await disk.read('a', 2, 100)}`).toBe('23456')
    expect((await disk.read('a', 7, 5)).length).toBe(0)
    await writer.close()
    expect(await disk.list()).toEqual([{ name: 'a', bytes: 7 }])
    await disk.close()
  })

  test('files are cut, renamed, replaced and removed', async () => {
    const disk = await open()
    const writer = await disk.create('a')
    await writer.append(Buffer.from('0123456789'))
    await writer.close()
    await disk.truncate('a', 4)
    expect(`${await disk.read('a', 0, 100)}`).toBe('0123')
    await disk.rename('a', 'b')
    await disk.replace('c', Buffer.from('old'))
    await disk.replace('c', Buffer.from('new one'))
    expect(`${await disk.read('c', 0, 100)}`).toBe('new one')
    await disk.remove('b')
    expect(await disk.list()).toEqual([{ name: 'c', bytes: 7 }])
    await disk.close()
  })
}
