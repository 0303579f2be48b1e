import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { openLoop } from './open-loop.ts'

/** Ten requests over two connections, sent at once, to a server that answers like this. */
async function ten(answer: RequestListener, lastAnswersMs: number) {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const answers: number[] = []
  const groups = await openLoop({
    port: (server.address() as AddressInfo).port,
    connections: 2,
    requestsPerSecond: 1_000,
    seconds: 0.01,
    request: (n) => Buffer.from(`GET /${n} HTTP/1.1\r\nhost: localhost\r\n\r\n`),
    groupOf: (n) => (n % 2 === 0 ? 'even' : 'odd'),
    onAnswer: (n, status) => {
      answers[n] = status
    },
    lastAnswersMs,
  })
  return { groups, answers }
}

test('what is never answered is counted as such, also where it never got a connection', async () => {
  const { groups, answers } = await ten(({ url }, answer) => {
    if (url === '/0') answer.end('x')
  }, 100)
  expect(groups.get('even')).toMatchObject({ sent: 5, statuses: { 0: 4, 200: 1 } })
  expect(groups.get('odd')).toMatchObject({ sent: 5, statuses: { 0: 5 } })
  expect(groups.get('odd')!.p99Ms).toBe(Number.NaN)
  expect(answers).toEqual([200, 0, 0, 0, 0, 0, 0, 0, 0, 0])
})

test('a connection that ends without an answer costs its own request, and another one is made', async () => {
  const { groups } = await ten(({ url, socket }, answer) => {
    if (url === '/3') socket.destroy()
    else answer.writeHead(url === '/4' ? 503 : 200).end('x')
  }, 10_000)
  expect(groups.get('even')!.statuses).toEqual({ 200: 4, 503: 1 })
  expect(groups.get('odd')!.statuses).toEqual({ 0: 1, 200: 4 })
})
