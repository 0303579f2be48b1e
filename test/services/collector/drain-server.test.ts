import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import { drainServer } from '../../../services/collector/drain-server.ts'
import { openCollector, WRITE_KEY } from './open-collector.ts'

interface Reply {
  readonly status: number
  readonly connection: string | undefined
}

function post(port: number, agent: Agent, hold?: Promise<void>): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        port,
        host: '127.0.0.1',
        method: 'POST',
        path: '/v1/events',
        agent,
        headers: { authorization: `Bearer ${WRITE_KEY}` },
      },
      (answer) => {
        answer.resume()
        answer.on('end', () => resolve({ status: answer.statusCode!, connection: answer.headers.connection }))
      },
    )
    sent.on('error', reject)
    sent.flushHeaders()
    void (hold ?? Promise.resolve()).then(() => sent.end('{"event":"a"}'))
  })
}

/** A clock whose sleeps end when the test says so. */
function steppedClock() {
  const sleeps: { ms: number; end: () => void }[] = []
  return {
    sleeps,
    clock: {
      now: () => 0,
      monotonic: () => 0,
      sleep: (ms: number, signal?: AbortSignal) =>
        new Promise<void>((resolve) => {
          sleeps.push({ ms, end: resolve })
          signal?.addEventListener('abort', () => resolve())
        }),
    },
  }
}

async function listening() {
  const collector = openCollector()
  await collector.server.app.listen({ host: '127.0.0.1', port: 0 })
  return { collector, port: (collector.server.app.server.address() as AddressInfo).port }
}

test('a drain takes requests through its grace, finishes what is under way, and lets nobody else in', async () => {
  const { collector, port } = await listening()
  const agent = new Agent({ keepAlive: true })
  expect((await post(port, agent)).connection).toBe('keep-alive')
  const { clock, sleeps } = steppedClock()
  const drained = drainServer(collector.server, 3000, 10_000, clock)

  expect(await post(port, agent)).toEqual({ status: 200, connection: 'close' })
  const acknowledged = Promise.withResolvers<void>()
  const sent = Promise.withResolvers<void>()
  collector.onProduce = () => {
    sent.resolve()
    return acknowledged.promise
  }
  const underWay = post(port, agent)
  await sent.promise
  expect(sleeps.map((sleep) => sleep.ms)).toEqual([3000])
  sleeps[0]!.end()
  while (collector.server.app.server.listening) await new Promise((resolve) => setImmediate(resolve))
  await expect(post(port, new Agent())).rejects.toThrow(/ECONNREFUSED/)
  acknowledged.resolve()
  expect((await underWay).status).toBe(200)
  await drained
  expect(collector.records).toHaveLength(3)
  agent.destroy()
})

test('a request that has arrived is answered, though the cut comes before its acknowledgement', async () => {
  const { collector, port } = await listening()
  const { clock, sleeps } = steppedClock()
  const acknowledged = Promise.withResolvers<void>()
  const sent = Promise.withResolvers<void>()
  collector.onProduce = () => {
    sent.resolve()
    return acknowledged.promise
  }
  const underWay = post(port, new Agent())
  await sent.promise
  const silent = connect(port, '127.0.0.1').on('error', () => {})
  await once(silent, 'connect')
  const cut = once(silent, 'close')
  const drained = drainServer(collector.server, 0, 10_000, clock)
  sleeps[0]!.end()
  while (sleeps.length < 2) await new Promise((resolve) => setImmediate(resolve))
  sleeps[1]!.end()
  await cut
  acknowledged.resolve()
  expect(await underWay).toEqual({ status: 200, connection: 'close' })
  await drained
})

test('a request that does not arrive within the cut is cut, and nothing of it was taken', async () => {
  const { collector, port } = await listening()
  const { clock, sleeps } = steppedClock()
  const never = new Promise<void>(() => {})
  const half = post(port, new Agent(), never)
  half.catch(() => {})
  const drained = drainServer(collector.server, 0, 10_000, clock)
  sleeps[0]!.end()
  while (sleeps.length < 2) await new Promise((resolve) => setImmediate(resolve))
  sleeps[1]!.end()
  await expect(half).rejects.toThrow()
  await drained
  expect(collector.records).toEqual([])
})
