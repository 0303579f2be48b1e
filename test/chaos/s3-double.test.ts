import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openS3Double, type S3Double, type S3Fault } from './s3-double.ts'

/** The real server: what arrived in full, answered with an echo. */
let upstream: Server
let arrived: { readonly method: string; readonly headers: IncomingHttpHeaders; readonly body: Buffer }[]
let double: S3Double

beforeEach(async () => {
  arrived = []
  upstream = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = []
    incoming.on('error', () => {})
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      arrived.push({
        method: incoming.method ?? '',
        headers: incoming.headers,
        body: Buffer.concat(chunks),
      })
      outgoing.setHeader('etag', '"e"')
      outgoing.end('stored')
    })
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  double = await openS3Double(0, (upstream.address() as AddressInfo).port, () => 0.5)
})

afterEach(async () => {
  await double.close()
  upstream.closeAllConnections()
  await new Promise<void>((resolve) => upstream.close(() => resolve()))
})

function put(body: string): Promise<{ status: number; text: string } | { broken: string }> {
  return new Promise((resolve) => {
    const sending = request(
      {
        port: double.port,
        host: '127.0.0.1',
        method: 'PUT',
        path: '/b/k',
        headers: { host: 'bucket.example' },
      },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', () => resolve({ broken: 'answer' }))
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, text: String(Buffer.concat(chunks)) }),
        )
      },
    )
    sending.on('error', (error: NodeJS.ErrnoException) => resolve({ broken: error.code ?? 'error' }))
    sending.end(body)
  })
}

const always = (fault: S3Fault) => double.setFaults([{ fault, probability: 1, methods: ['PUT'] }])

test('a refusal and an error for a body come from the double: nothing reaches the server', async () => {
  always({ kind: 'refuse', status: 503, code: 'SlowDown' })
  expect(await put('x')).toMatchObject({
    status: 503,
    text: expect.stringContaining('<Code>SlowDown</Code>'),
  })
  always({ kind: 'error_body', code: 'InternalError' })
  expect(await put('x')).toMatchObject({
    status: 200,
    text: expect.stringContaining('<Code>InternalError</Code>'),
  })
  expect(arrived).toEqual([])
  expect([...double.inflicted]).toEqual([
    ['SlowDown', 1],
    ['error_body', 1],
  ])
})

test('a request that stalls was carried out', async () => {
  always({ kind: 'stall', ms: 20 })
  expect(await put('x')).toEqual({ broken: 'ECONNRESET' })
  expect(arrived.map(({ body }) => String(body))).toEqual(['x'])
})

test('a request that is cut never arrives whole', async () => {
  always({ kind: 'cut', bytes: 10 })
  expect(await put('a body longer than that')).toEqual({ broken: 'ECONNRESET' })
  expect(await put('shorter')).toEqual({ broken: 'ECONNRESET' })
  expect(arrived).toEqual([])
})

test('a flipped byte is one byte', async () => {
  always({ kind: 'flip' })
  await put('hello')
  expect(String(arrived[0]!.body)).toBe('hemlo')
})

test('everything else goes through as it came', async () => {
  double.setFaults([
    { fault: { kind: 'flip' }, probability: 0.5, methods: ['PUT'] },
    { fault: { kind: 'flip' }, probability: 1, methods: ['GET'] },
  ])
  expect(await put('hello')).toEqual({ status: 200, text: 'stored' })
  expect(arrived).toMatchObject([
    { method: 'PUT', headers: { host: 'bucket.example' }, body: Buffer.from('hello') },
  ])
  expect(double.inflicted.size).toBe(0)
})
