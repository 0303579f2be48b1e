import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { KAFKA_SETTINGS } from '../../../../services/core/kafka/kafka-settings.ts'
import { openCluster } from '../../../../services/core/kafka/wire/cluster.ts'
import { parseSettings } from '../../../../services/core/runtime/settings.ts'

test('closing ends a connection that a broker accepted and says nothing on', async () => {
  const accepted: Socket[] = []
  const server = createServer((socket) => accepted.push(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const cluster = openCluster(
    parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: `127.0.0.1:${port}` }),
    't',
  )
  const asked = new Promise<void>((resolve) =>
    server.once('connection', (socket) => socket.once('data', () => resolve())),
  )
  const answer = cluster.metadata(['any'])
  await asked
  cluster.close()
  await expect(answer).rejects.toMatchObject({ code: 'unavailable' })
})
