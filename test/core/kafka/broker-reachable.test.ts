import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { freePort } from '../../../infra/engines/ports.ts'
import { brokerReachable } from '../../../services/core/kafka/broker-reachable.ts'

test('brokers that all refuse are not reachable', async () => {
  const brokers = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`]
  expect(await brokerReachable(brokers.join(','), 1000)).toBe(false)
})

test('one broker that accepts is enough, spaces and IPv6 brackets are understood', async () => {
  const server = createServer((socket) => socket.destroy())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  expect(await brokerReachable(`[::1]:1, 127.0.0.1:${port}`, 1000)).toBe(true)
  await new Promise((resolve) => server.close(resolve))
})
