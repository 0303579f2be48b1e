import { afterEach, expect, test } from 'vitest'
import { Health } from '../../../services/core/runtime/health.ts'
import { boundedLabel, createMetrics } from '../../../services/core/runtime/metrics.ts'
import { type OpsServer, startOpsServer } from '../../../services/core/runtime/ops-server.ts'

let server: OpsServer
afterEach(() => server.close())

async function get(path: string): Promise<{ status: number; body: string }> {
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`)
  return { status: answer.status, body: await answer.text() }
}

test('readiness tells what is wrong while liveness stays well', async () => {
  const health = new Health()
  let problem: string | null = 'Kafka does not answer; check MILLRACE_KAFKA_BROKERS.'
  health.add({ name: 'kafka', kind: 'ready', problem: () => problem })
  server = await startOpsServer('127.0.0.1', 0, health, createMetrics())
  const unwell = await get('/readyz')
  expect(unwell.status).toBe(503)
  expect(JSON.parse(unwell.body)).toEqual({ ok: false, checks: { kafka: problem } })
  expect((await get('/healthz')).status).toBe(200)
  problem = null
  expect(JSON.parse((await get('/readyz')).body)).toEqual({ ok: true, checks: { kafka: 'ok' } })
})

test('an unwell live check asks for the process to be replaced', async () => {
  const health = new Health()
  health.add({ name: 'loop', kind: 'live', problem: () => 'Blocked.' })
  server = await startOpsServer('127.0.0.1', 0, health, createMetrics())
  expect((await get('/healthz')).status).toBe(503)
  expect((await get('/readyz')).status).toBe(503)
})

test('counters that are asked for twice are one counter', async () => {
  const metrics = createMetrics()
  for (let i = 0; i < 2; i++) {
    metrics.counter('millrace_test_events_total', 'Events.', ['code']).add(2, { code: 'a' })
  }
  server = await startOpsServer('127.0.0.1', 0, new Health(), metrics)
  expect((await get('/metrics')).body).toContain('millrace_test_events_total{code="a"} 4')
})

test('label values beyond the bound share one overflow value', () => {
  const label = boundedLabel(2)
  expect(['a', 'b', 'c', 'a', 'd'].map(label)).toEqual(['a', 'b', 'other', 'a', 'other'])
})

test('other paths are not served', async () => {
  server = await startOpsServer('127.0.0.1', 0, new Health(), createMetrics())
  expect((await get('/debug')).status).toBe(404)
})
