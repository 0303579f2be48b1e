import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect, inject, test } from 'vitest'
import type { Dataset } from '../../schemas/control/v1.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import { objectRecords } from '../../services/core/control/control-records.ts'
import { controlRecord } from '../../services/core/control/control-state.ts'
import {
  type ControlSource,
  openControlView,
  readControlRecords,
} from '../../services/core/control/control-topic.ts'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { putChange } from '../helpers/put-change.ts'

const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers') })
const logger = createLogger('test', 'error')
const log = await openKafkaLog(settings, logger)
afterAll(() => log.close())

const newSource = (): ControlSource => ({
  log,
  names: kafkaNames(`t-${randomUUID()}.`),
  clock: systemClock,
  logger,
})
const dataset = (id: string): Dataset => ({ id, account: 'acme' })

async function publish(source: ControlSource, ...ids: readonly string[]): Promise<void> {
  const publisher = await openControlPublisher(source)
  await publisher.publish(ids.map((id) => putChange('dataset', dataset(id), 'config')))
  await publisher.close()
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause(20)
}

test('on a real broker the end is found on an empty topic, and past an aborted publication', async () => {
  const source = newSource()
  const empty = await openControlView(source)
  expect(empty.snapshot.datasets.size).toBe(0)
  await empty.close()

  await publish(source, 'shop')
  const dying = await log.openTransactionalProducer(source.names.transactionalId('control', 'publisher'), {
    clientId: 'test',
    transactionTimeoutMs: 60_000,
  })
  await dying.begin()
  await dying.send(objectRecords(source.names.control, controlRecord('dataset', dataset('ghost'), 'config')))
  await pause(500)
  // The next publisher fences it and aborts what it left open, which stays in the topic as its last records.
  await (await openControlPublisher(source)).close()
  await dying.close()
  const view = await openControlView(source)
  expect([...view.snapshot.datasets.keys()]).toEqual(['shop'])
  expect(view.problem()).toBeNull()
  await view.close()
})

test('publications are followed whole, and an overtaken publisher is fenced', async () => {
  const source = newSource()
  const view = await openControlView(source)
  const sizes: number[] = []
  view.onChange((snapshot) => sizes.push(snapshot.datasets.size))
  const early = await openControlPublisher(source)
  await publish(source, ...Array.from({ length: 200 }, (_, i) => `d${i}`))
  await until(() => sizes.length > 0)
  expect(sizes).toEqual([200])
  await expect(early.publish([putChange('dataset', dataset('late'), 'config')])).rejects.toMatchObject({
    code: 'fenced',
  })
  await early.close()
  expect(await readControlRecords(source)).toHaveLength(200)
  const hash = view.snapshot.datasets.get('d7')?.hash ?? ''
  const publisher = await openControlPublisher(source)
  await publisher.publish([{ action: 'remove', kind: 'dataset', id: 'd7' }])
  await publisher.close()
  await until(() => sizes.length > 1)
  expect(sizes).toEqual([200, 199])
  const later = await openControlView(source)
  expect(later.pinned('dataset', hash)?.object).toEqual(dataset('d7'))
  expect(later.snapshot.offset).toBe(view.snapshot.offset)
  await Promise.all([view.close(), later.close()])
})
