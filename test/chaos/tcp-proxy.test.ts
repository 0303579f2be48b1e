import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** A server that sends back what it gets. */
let echo: Server
let proxy: TcpProxy
const clients: Socket[] = []

beforeEach(async () => {
  echo = createServer((socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve))
  proxy = await openTcpProxy(0, (echo.address() as AddressInfo).port)
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  await proxy.close()
  await new Promise<void>((resolve) => echo.close(() => resolve()))
})

/** Sends bytes and reads until as many came back or the connection ended. */
async function exchange(bytes: number): Promise<{ got: number; ended: string | null; ms: number }> {
  const startedMs = performance.now()
  const client = connect(proxy.port, '127.0.0.1')
  clients.push(client)
  return new Promise((resolve) => {
    let got = 0
    const settle = (ended: string | null) => resolve({ got, ended, ms: performance.now() - startedMs })
    client.on('data', (chunk) => {
      got += chunk.length
      if (got >= bytes) settle(null)
    })
    client.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? 'error'))
    client.on('close', () => settle('close'))
    client.write(Buffer.alloc(bytes, 'x'))
  })
}

test('a connection that is down is reset, and nobody else is let in until it is up again', async () => {
  expect(await exchange(10)).toMatchObject({ got: 10, ended: null })
  const open = clients[0]!
  const gone = new Promise((resolve) => open.once('close', resolve))
  open.on('error', () => {})
  proxy.setToxics([{ kind: 'down' }])
  await gone
  expect((await exchange(10)).ended).not.toBeNull()
  proxy.setToxics([])
  expect(await exchange(10)).toMatchObject({ got: 10, ended: null })
  expect(proxy.ended).toBe(2)
})

test('a connection is reset or closed after exactly so many bytes', async () => {
  proxy.setToxics([{ kind: 'reset_peer', bytes: 100 }], 'up')
  expect((await exchange(1000)).ended).toBe('ECONNRESET')
  proxy.setToxics([{ kind: 'limit_data', bytes: 100 }], 'down')
  expect(await exchange(1000)).toMatchObject({ got: 100, ended: 'close' })
})

test('nothing comes out of a black hole, which closes after its time', async () => {
  proxy.setToxics([{ kind: 'timeout', ms: 80 }])
  const { got, ended, ms } = await exchange(10)
  expect([got, ended]).toEqual([0, 'close'])
  expect(ms).toBeGreaterThanOrEqual(79)
})

test('bytes are late by the latency, however many pieces they come in', async () => {
  proxy.setToxics([{ kind: 'latency', ms: 100, jitterMs: 0 }], 'up')
  const { got, ms } = await exchange(500_000)
  expect(got).toBe(500_000)
  expect(ms).toBeGreaterThanOrEqual(99)
  expect(ms).toBeLessThan(1_500)
})

test('a narrow or slicing connection takes its time and loses nothing', async () => {
  proxy.setToxics([{ kind: 'bandwidth', bytesPerSecond: 100_000 }], 'up')
  const narrow = await exchange(10_000)
  expect(narrow.got).toBe(10_000)
  expect(narrow.ms).toBeGreaterThanOrEqual(99)
  proxy.setToxics([{ kind: 'slicer', bytes: 10, ms: 1 }], 'down')
  expect((await exchange(100)).got).toBe(100)
})

test('an end of stream is passed on late', async () => {
  proxy.setToxics([{ kind: 'slow_close', ms: 100 }], 'up')
  const client = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
  clients.push(client)
  const startedMs = performance.now()
  const ended = new Promise((resolve) => client.once('end', resolve))
  client.resume()
  client.end('last words')
  await ended
  expect(performance.now() - startedMs).toBeGreaterThanOrEqual(99)
})
