import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  identify,
  isRunning,
  lockHolder,
  type ProcessLock,
  takeLock,
} from '../../../services/core/runtime/process-lock.ts'

let dir = ''
let child: ChildProcess
const file = () => join(dir, 'run', 'a.pid')

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-lock-'))
  child = spawn('sleep', ['60'])
})
afterEach(() => {
  child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

const pid = () => child.pid as number
const gone = () => new Promise((resolve) => child.once('exit', resolve).kill('SIGKILL'))

test('another process with the same pid is not the one that was meant', () => {
  const identity = identify(pid())
  expect(identity).toMatchObject({ pid: pid(), started: expect.stringMatching(/./) })
  expect(isRunning({ pid: pid(), started: identity?.started ?? '' })).toBe(true)
  expect(isRunning({ pid: pid(), started: 'some other time' })).toBe(false)
})

test('a process that has ended does not run', async () => {
  const identity = identify(pid())
  await gone()
  expect(identity && isRunning(identity)).toBe(false)
  expect(identify(pid())).toBeNull()
})

test('a lock that is held names its holder', () => {
  const lock = takeLock(file()) as ProcessLock
  lock.handTo(identify(pid()) as NonNullable<ReturnType<typeof identify>>)
  expect(takeLock(file())).toMatchObject({ heldBy: { pid: pid() } })
  lock.release()
  expect(takeLock(file())).toHaveProperty('release')
})

test('the lock of a killed process, or one whose pid was used again, is taken over', async () => {
  const lock = takeLock(file()) as ProcessLock
  lock.handTo({ pid: pid(), started: 'before the reboot' })
  expect(lockHolder(file())).toBeNull()
  expect(takeLock(file())).toHaveProperty('release')
})

test.each(['', '{"pid":', 'null', '12'])('a lock file that holds %j is nobody’s', (text) => {
  const lock = takeLock(file()) as ProcessLock
  writeFileSync(file(), text)
  expect(takeLock(file())).toHaveProperty('release')
  lock.release()
})
