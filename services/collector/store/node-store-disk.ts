import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DependencyError, type DependencyErrorCode } from '../../core/runtime/errors.ts'
import { takeLock } from '../../core/runtime/process-lock.ts'
import type { StoreDisk, StoreFileWriter } from './store-disk.ts'

const LOCK = 'lock'
const CODES: Readonly<Record<string, DependencyErrorCode>> = {
  ENOSPC: 'read_only',
  EDQUOT: 'read_only',
  EROFS: 'read_only',
  EACCES: 'denied',
  EPERM: 'denied',
  ENOENT: 'not_found',
}

/**
 * A directory of the file system, made when it is not there.
 *
 * @throws DependencyError('disk', 'denied') when another process has it; others as the port says
 */
export async function openNodeStoreDisk(directory: string): Promise<StoreDisk> {
  const lock = await onDisk(`Opening ${directory}`, async () => {
    await makeDirectory(directory)
    return takeLock(join(directory, LOCK))
  })
  if ('heldBy' in lock)
    throw new DependencyError(
      'disk',
      'denied',
      `The store ${directory} is in use by process ${lock.heldBy.pid}. Every collector needs a directory of its own.`,
    )
  const pathOf = (name: string) => join(directory, name)

  return {
    list: () =>
      onDisk(`Listing ${directory}`, async () => {
        const names = (await readdir(directory)).filter((name) => name !== LOCK)
        return Promise.all(names.map(async (name) => ({ name, bytes: (await stat(pathOf(name))).size })))
      }),
    create: (name) =>
      onDisk(`Making ${pathOf(name)}`, async () => {
        const handle = await open(pathOf(name), 'wx')
        try {
          await syncNames(directory)
        } catch (error) {
          await handle.close()
          await rm(pathOf(name), { force: true }).catch(() => {})
          throw error
        }
        return writerOf(handle, pathOf(name))
      }),
    read: (name, at, length) =>
      onDisk(`Reading ${pathOf(name)}`, async () => {
        const handle = await open(pathOf(name), 'r')
        try {
          const buffer = Buffer.allocUnsafe(length)
          let filled = 0
          while (filled < length) {
            const { bytesRead } = await handle.read(buffer, filled, length - filled, at + filled)
            if (bytesRead === 0) break
            filled += bytesRead
          }
          return buffer.subarray(0, filled)
        } finally {
          await handle.close()
        }
      }),
    truncate: (name, bytes) =>
      onDisk(`Cutting ${pathOf(name)}`, async () => {
        await truncate(pathOf(name), bytes)
        const handle = await open(pathOf(name), 'r+')
        try {
          await handle.sync()
        } finally {
          await handle.close()
        }
      }),
    rename: (name, to) => onDisk(`Renaming ${pathOf(name)}`, () => rename(pathOf(name), pathOf(to))),
    remove: (name) => onDisk(`Removing ${pathOf(name)}`, () => rm(pathOf(name), { force: true })),
    replace: (name, content) =>
      onDisk(`Writing ${pathOf(name)}`, async () => {
        await writeFile(pathOf(`${name}.new`), content)
        await rename(pathOf(`${name}.new`), pathOf(name))
      }),
    async close() {
      lock.release()
    },
  }
}

/** With every directory above it that is missing, for good: a file's name is worth no more than those on the way to it. */
async function makeDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true })
  if (first === undefined) return
  for (let made = resolve(directory); made.length >= resolve(first).length; made = dirname(made))
    await syncNames(dirname(made))
}

/** Names are content of their directory, and are synced as such. */
async function syncNames(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function writerOf(handle: FileHandle, file: string): StoreFileWriter {
  return {
    append: (bytes) =>
      onDisk(`Writing ${file}`, async () => {
        for (let written = 0; written < bytes.length; )
          written += (await handle.write(bytes, written, bytes.length - written)).bytesWritten
      }),
    sync: () => onDisk(`Syncing ${file}`, () => handle.datasync()),
    close: () => handle.close().catch(() => {}),
  }
}

/** What the disk refuses comes out as a DependencyError, anything else unchanged. */
async function onDisk<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (typeof code !== 'string' || !/^E[A-Z]+$/.test(code)) throw error
    throw new DependencyError('disk', CODES[code] ?? 'unavailable', `${what}: ${code}.`, error)
  }
}
