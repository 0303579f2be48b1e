import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openNodeStoreDisk } from '../../../../services/collector/store/node-store-disk.ts'
import { identify } from '../../../../services/core/runtime/process-lock.ts'
import { storeDiskContract } from '../../../contract/store-disk.ts'
import { createMemoryStoreDisk } from '../../../helpers/memory-store-disk.ts'

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-store-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

describe('a directory in memory', () => storeDiskContract(async () => createMemoryStoreDisk()))
describe('a directory of the file system', () =>
  storeDiskContract(() => openNodeStoreDisk(join(directory, 'made', 'for', 'it'))))

test('a directory that another process has is refused, one of a process that is gone is taken', async () => {
  const other = spawn('sleep', ['60'])
  const gone = new Promise((resolve) => other.once('exit', resolve))
  try {
    writeFileSync(join(directory, 'lock'), JSON.stringify(identify(other.pid as number)))
    await expect(openNodeStoreDisk(directory)).rejects.toMatchObject({
      code: 'denied',
      message: `The store ${directory} is in use by process ${other.pid}. Every collector needs a directory of its own.`,
    })
  } finally {
    other.kill('SIGKILL')
    await gone
  }
  await (await openNodeStoreDisk(directory)).close()
  await (await openNodeStoreDisk(directory)).close()
})

test('a power cut leaves in memory what was synced, and of the rest as much as it likes', async () => {
  const disk = createMemoryStoreDisk()
  const writer = await disk.create('a')
  await writer.append(Buffer.from('safe'))
  await writer.sync()
  await writer.append(Buffer.from('torn'))
  disk.cutPower(() => 2)
  expect(`${await disk.read('a', 0, 100)}`).toBe('safeto')
  await expect(writer.append(Buffer.from('x'))).rejects.toMatchObject({ dependency: 'disk' })
})
