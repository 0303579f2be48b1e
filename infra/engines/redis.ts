import { chmodSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type Engine, startEngine } from './engine-process.ts'
import { fetchJars } from './jars.ts'

export interface RedisEngine extends Engine {
  readonly url: string
}

/** Starts Redis, which keeps nothing on disk. */
export async function startRedis(options: {
  readonly stateDir: string
  readonly port: number
}): Promise<RedisEngine> {
  const { stateDir, port } = options
  const engine = await startEngine({
    name: 'redis',
    command: redisServer(),
    args: ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    stateDir,
    ports: [port],
    ready: () => saysPong(port),
    readyTimeoutMs: 30_000,
  })
  return { ...engine, url: `redis://127.0.0.1:${port}` }
}

/** The one build of the jar that is for this machine. */
function redisServer(): string {
  const dir = fetchJars('redis')
  const own = new RegExp(
    `^redis-server-.*-${process.platform}-${process.arch === 'arm64' ? 'arm64' : 'amd64'}$`,
  )
  const found = readdirSync(dir).find((name) => own.test(name))
  if (found === undefined)
    throw new Error(`There is no build of Redis for ${process.platform}-${process.arch}.`)
  const file = join(dir, found)
  // Archives of Java keep no rights.
  chmodSync(file, 0o755)
  return file
}

function saysPong(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'))
    const done = (answers: boolean) => {
      socket.destroy()
      resolve(answers)
    }
    socket.setTimeout(2000, () => done(false))
    socket.once('data', (bytes) => done(bytes.toString('latin1').startsWith('+PONG')))
    socket.once('error', () => done(false))
    socket.once('close', () => done(false))
  })
}
