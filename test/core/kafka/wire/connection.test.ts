import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { KAFKA_SETTINGS } from '../../../../services/core/kafka/kafka-settings.ts'
import { openConnection } from '../../../../services/core/kafka/wire/connection.ts'
import { parseSettings } from '../../../../services/core/runtime/settings.ts'

const MEGABYTE = 1024 * 1024
const length = (bytes: number) => {
  const frame = Buffer.alloc(4)
  frame.writeInt32BE(bytes)
  return frame
}

/** A connection to something that answers whatever it is asked with these bytes. */
async function connected(answer: Buffer) {
  const accepted: Socket[] = []
  const server = createServer((socket) => {
    accepted.push(socket)
    socket.on('error', () => {})
    socket.once('data', () => socket.write(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return openConnection(
    { host: '127.0.0.1', port },
    parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: `127.0.0.1:${port}` }),
    't',
    new AbortController().signal,
  )
}

test.each([
  ['a frame of 2³¹−1 bytes', length(2 ** 31 - 1)],
  ['a frame of one byte more than the longest', length(256 * MEGABYTE + 1)],
  ['a frame of a negative length', length(-1)],
  ['a frame of −2³¹ bytes', length(-(2 ** 31))],
  ['a frame without room for a correlation id', length(3)],
  ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['a TLS alert', Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46])],
])('%s is an error that names the settings, and takes no memory', async (_, answer) => {
  const allocated = vi.spyOn(Buffer, 'allocUnsafeSlow')
  onTestFinished(() => allocated.mockRestore())
  const refused = connected(Buffer.concat([answer, Buffer.alloc(1_000, 7)]))
  await expect(refused).rejects.toMatchObject({
    name: 'DependencyError',
    dependency: 'kafka',
    code: 'unavailable',
    message: expect.stringContaining('MILLRACE_KAFKA_SECURITY_PROTOCOL'),
  })
  expect(allocated.mock.calls.filter(([bytes]) => bytes > MEGABYTE)).toEqual([])
})
