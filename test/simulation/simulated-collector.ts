import { gzipSync } from 'node:zlib'
import { createByteBudget } from '../../services/collector/byte-budget.ts'
import { createCollectorMetrics } from '../../services/collector/collector-metrics.ts'
import { COLLECTOR_OWN_SETTINGS } from '../../services/collector/config.ts'
import type { Environment } from '../../services/collector/environment.ts'
import { createIdempotencyCache } from '../../services/collector/idempotency.ts'
import { collect } from '../../services/collector/pipeline.ts'
import { readNative } from '../../services/collector/read-native.ts'
import { kafkaKeeper } from '../../services/collector/record-keeper.ts'
import { RequestRefusal } from '../../services/collector/request-refusal.ts'
import { createSessionBudget } from '../../services/collector/session-budget.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import type { SimulatedProcess } from './process.ts'
import { processLog } from './simulated-log.ts'
import { NO_METRICS, type Send, type Surroundings } from './surroundings.ts'
import { names, PARTITIONS } from './world-config.ts'

const COLLECTOR = parseSettings(COLLECTOR_OWN_SETTINGS, {})
const TRACEPARENT = '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01'

/** A collector behind a door that requests come through, until it is asked to end. */
export async function runCollector(process: SimulatedProcess, around: Surroundings): Promise<void> {
  const { kernel, log, faults, tally, control, doors } = around
  const own = processLog(kernel, process, log, faults, tally)
  const producer = await own.openProducer({ clientId: 'c', lingerMs: 5, deliveryTimeoutMs: 10_000 })
  const env: Environment = {
    control,
    keeper: kafkaKeeper(producer, { note: () => {} }),
    rawTopic: names.raw,
    rawPartitions: PARTITIONS,
    recordings: {
      topic: names.recordings,
      partitions: PARTITIONS,
      keeper: kafkaKeeper(producer, { note: () => {} }),
      sessions: createSessionBudget(1_000_000, process.clock, 1_000),
      // At once: threads keep no order.
      compress: async (line) => gzipSync(line),
      recordBytesMax: 1_000_000,
    },
    admission: { enter: () => null, charge: () => null },
    budget: createByteBudget(1_000_000, () => {}),
    idempotency: createIdempotencyCache(100_000, process.clock),
    nextEventId: () => `made-${around.next()}`,
    traceparentOf: () => TRACEPARENT,
    clock: process.clock,
    failPoint: () => {},
    metrics: createCollectorMetrics(NO_METRICS),
    logger: around.logger(process),
  }
  const send: Send = async (dataset, body, key) => {
    await process.delay(kernel.between(0, faults.latencyMaxMs))
    const sent = readNative(Buffer.from(body), 'json', COLLECTOR)
    if (sent instanceof RequestRefusal) return sent
    const lease = env.budget.lease()
    const request = {
      datasetId: dataset,
      protocol: 'native' as const,
      sent,
      ip: '192.0.2.1',
      userAgent: null,
      traceparent: TRACEPARENT,
      idempotencyKey: key,
      dryRun: false,
      lease,
    }
    try {
      const collected = await collect(request, COLLECTOR, env)
      return collected instanceof RequestRefusal ? collected : collected.answer
    } finally {
      lease.release()
      await process.delay(kernel.between(0, faults.latencyMaxMs))
    }
  }
  doors.set(process, send)
  await new Promise<void>((resolve) => process.stopping.signal.addEventListener('abort', () => resolve()))
}
