import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import type { TableAddress } from '../../../../services/query-api/batch-exports/destination-table.ts'
import { openPostgresTable } from '../../../../services/query-api/batch-exports/postgres-table.ts'

/** Something that listens where a database is looked for. */
async function listening(answer: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => answer(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

test.each([
  ['hangs up', 'disable', (socket: Socket) => socket.destroy()],
  ['speaks HTTP', 'disable', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['speaks HTTP', 'require', (socket: Socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ['agrees to TLS and speaks none', 'require', (socket: Socket) => socket.write('SHello, who is there?')],
  ['sends nonsense', 'disable', (socket: Socket) => socket.end(Buffer.alloc(64, 0xff))],
  [
    'sends an error without words',
    'disable',
    (socket: Socket) => socket.end(Buffer.from('4500000005 00'.replace(' ', ''), 'hex')),
  ],
] as const)(
  'a server that %s (%s) is a failure of the destination, and nobody else’s',
  async (_, ssl_mode, answer) => {
    const { port, close } = await listening(answer)
    const address: TableAddress = {
      host: '127.0.0.1',
      port,
      ssl_mode,
      database: 'd',
      user: 'u',
      password: 'p',
      schema: 'public',
      table_name: 'events',
    }
    const table = openPostgresTable(address)
    await expect(table.prepare()).rejects.toMatchObject({
      dependency: 'destination',
      message: expect.stringContaining('database of this batch export'),
    })
    await table.close()
    close()
  },
)
