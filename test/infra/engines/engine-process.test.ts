import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Engine, type EngineCommand, startEngine } from '../../../infra/engines/engine-process.ts'
import { freePort, httpAnswers, kafkaAnswers } from '../../../infra/engines/ports.ts'
import { identify } from '../../../services/core/runtime/process-lock.ts'

let dir = ''
let engine: Engine | null = null
let server: Server | null = null

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'millrace-engine-'))
})
afterEach(async () => {
  await engine?.kill()
  server?.closeAllConnections()
  server?.close()
  engine = null
  server = null
  rmSync(dir, { recursive: true, force: true })
})

/** An engine that writes `ready` into a file when it is up. */
const command = (script: string, more: Partial<EngineCommand> = {}): EngineCommand => ({
  name: 'sample',
  command: 'sh',
  args: ['-c', script],
  stateDir: join(dir, 'state'),
  ready: async () => existsSync(join(dir, 'ready')),
  readyTimeoutMs: 20_000,
  ...more,
})
// One process from beginning to end: a child of the shell would outlive a SIGKILL for a moment.
const WELL = () => `: > '${join(dir, 'ready')}'; exec sleep 60`
const pidFile = () => join(dir, 'state/sample.pid')

test('an engine that exits before it is ready fails with the end of its log', async () => {
  await expect(startEngine(command('echo out of luck; exit 3'))).rejects.toThrow(
    /did not come up[\s\S]*out of luck/,
  )
  expect(existsSync(pidFile())).toBe(false)
})

test('an engine that never becomes ready is ended', async () => {
  await expect(
    startEngine(command(`echo $$ > '${join(dir, 'pid')}'; exec sleep 60`, { readyTimeoutMs: 300 })),
  ).rejects.toThrow('did not come up')
  expect(identify(Number(readFileSync(join(dir, 'pid'), 'utf8')))).toBeNull()
})

test('a command that is not installed is named', async () => {
  await expect(startEngine(command('', { command: 'no-such-engine' }))).rejects.toThrow(
    'no-such-engine could not be started',
  )
  expect(existsSync(pidFile())).toBe(false)
})

test('a second engine on the same directory is refused, with the pid of the first', async () => {
  engine = await startEngine(command(WELL()))
  await expect(startEngine(command(WELL()))).rejects.toThrow(`(pid ${engine.pid})`)
  await engine.stop()
  expect(await engine.exited).toEqual({ code: null, signal: 'SIGTERM' })
  engine = await startEngine(command(WELL()))
})

test('a pid file that was left by a killed engine does not stand in the way', async () => {
  engine = await startEngine(command(WELL()))
  const left = readFileSync(pidFile(), 'utf8')
  await engine.kill()
  writeFileSync(pidFile(), left)
  engine = await startEngine(command(WELL()))
  expect(identify(engine.pid)).not.toBeNull()
})

test('a port that another program has is said before anything is started', async () => {
  const port = await freePort()
  server = createServer().listen(port, '127.0.0.1')
  await new Promise((resolve) => server?.once('listening', resolve))
  await expect(startEngine(command(WELL(), { ports: [port] }))).rejects.toThrow(`port ${port}`)
  expect(existsSync(join(dir, 'ready'))).toBe(false)
})

test('an engine does not outlive the process that started it', async () => {
  const script = `
    const { startEngine } = await import('${join(import.meta.dirname, '../../../infra/engines/engine-process.ts')}')
    const engine = await startEngine({ name: 'sample', command: 'sleep', args: ['60'], stateDir: '${dir}/state',
      ready: async () => true, readyTimeoutMs: 1000 })
    console.log(engine.pid)
    process.exit(7)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script])
  let output = ''
  child.stdout.on('data', (text) => {
    output += text
  })
  await new Promise((resolve) => child.once('close', resolve))
  const pid = Number(output)
  expect(pid).toBeGreaterThan(0)
  // SIGKILL is on its way; the process table follows.
  await expect.poll(() => identify(pid)).toBeNull()
})

test('a program that takes connections and says nothing Kafka’s is not a broker', async () => {
  const port = await freePort()
  expect(await kafkaAnswers(port)).toBe(false)
  server = createServer((_, response) => response.writeHead(403).end()).listen(port, '127.0.0.1')
  await new Promise((resolve) => server?.once('listening', resolve))
  expect(await kafkaAnswers(port)).toBe(false)
  expect(await httpAnswers(`http://127.0.0.1:${port}`)).toBe(true)
})
