import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createLogPipe } from '../../../services/core/runtime/log-pipe.ts'

/** A pipe with room for so many bytes until somebody reads. */
function world(room: number, waitingBytesMax = 20) {
  const told: string[] = []
  const state = { room, text: '', error: 'EAGAIN' }
  const pipe = createLogPipe({
    send(bytes) {
      const taken = Math.min(bytes.length, state.room)
      if (taken === 0) throw Object.assign(new Error(state.error), { code: state.error })
      state.room -= taken
      state.text += bytes.subarray(0, taken).toString()
      return taken
    },
    onDropped: () => void told.push('dropped'),
    onReadAgain: (count) => void told.push(`read again, ${count} dropped`),
    waitingBytesMax,
  })
  return { pipe, state, told }
}

test('a line is in the pipe when it was written, as long as there is room', () => {
  const { pipe, state } = world(100)
  pipe.write('one\n')
  expect(state.text).toBe('one\n')
})

test('lines wait for a reader in order and whole, then new ones are dropped and counted', async () => {
  const { pipe, state, told } = world(6)
  for (const line of ['first\n', 'second\n', 'third\n', 'fourth\n', 'fifth\n']) pipe.write(line)
  expect([state.text, told]).toEqual(['first\n', ['dropped']])
  state.room = 4
  await pause(120)
  expect(state.text).toBe('first\nseco')
  state.room = 1_000
  await pause(120)
  expect(state.text).toBe('first\nsecond\nthird\nfourth\n')
  expect(told).toEqual(['dropped', 'read again, 1 dropped'])
  pipe.write('sixth\n')
  expect(state.text).toContain('fourth\nsixth\n')
})

test('a line longer than what may wait is cut nowhere', async () => {
  const { pipe, state, told } = world(5)
  const long = `${'x'.repeat(100)}\n`
  pipe.write(long)
  state.room = 1_000
  await pause(120)
  expect([state.text, told]).toEqual([long, []])
})

test('a reader who is gone for good costs nothing', async () => {
  const { pipe, state, told } = world(0)
  state.error = 'EPIPE'
  pipe.write('one\n')
  state.room = 100
  pipe.write('two\n')
  await pause(120)
  expect([state.text, told]).toEqual(['', []])
})

test('a stage whose output nobody reads goes on working, and says afterwards what is missing', async () => {
  const fixture = join(import.meta.dirname, '../../fixtures/stage-process.ts')
  // A pipe of the shell: those between Node and its children are sockets.
  const shell = spawn('sh', ['-c', `"$NODE" "$STAGE" | { read -r first; echo "$first"; sleep 3; cat; }`], {
    env: { PATH: process.env.PATH, NODE: process.execPath, STAGE: fixture, MILLRACE_SAMPLE_MODE: 'chatty' },
  })
  let output = ''
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  await once(shell, 'close')
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const worked = lines.find(({ msg }) => msg === 'Worked all the time.')
  expect(worked.longestPauseMs).toBeLessThan(1_000)
  const again = lines.find(({ msg }) => msg.startsWith('Nobody read the log'))
  const chatter = lines.filter(({ msg }) => msg === 'Chatter.').length
  expect(again.dropped).toBeGreaterThan(0)
  expect(chatter + again.dropped).toBe(worked.lines)
  expect(worked.metric).toBe(again.dropped)
})
