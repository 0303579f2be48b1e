import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../infra/engines/ports.ts'
import { type RedisEngine, startRedis } from '../../infra/engines/redis.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { RATE_LIMITS } from '../../services/query-api/http/rate-limits.ts'
import { openRedisRateCounters } from '../../services/query-api/http/redis-rate-counters.ts'
import { rateCountersContract } from '../contract/rate-counters.ts'
import { needs } from '../helpers/needs.ts'

describe('on a Redis server', needs('redis'), () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'millrace-redis-'))
  const logger = createLogger('test', 'error')
  let engine: RedisEngine
  const open = async (nowMs?: () => number, prefix = randomBytes(4).toString('hex')) => {
    const counters = openRedisRateCounters(engine.url, logger, {
      prefix,
      // A busy machine is no failure.
      timeoutMs: 30_000,
      ...(nowMs === undefined ? {} : { nowMs }),
    })
    await counters.connected
    return counters
  }

  beforeAll(async () => {
    engine = await startRedis({ stateDir, port: await freePort() })
  })
  afterAll(async () => {
    await engine?.stop()
    rmSync(stateDir, { recursive: true, force: true })
  })

  rateCountersContract('Redis', open)

  test('two processes share their counters, by the clock of the server', async () => {
    const [one, other] = [await open(undefined, 'shared'), await open(undefined, 'shared')]
    for (let i = 0; i < 120; i++)
      for (const counters of [one, other])
        expect((await counters.take('dataset:shop', RATE_LIMITS.clickhouse)).admitted).toBe(true)
    expect(await one.take('dataset:shop', RATE_LIMITS.clickhouse)).toMatchObject({ admitted: false })
    await Promise.all([one.close(), other.close()])
  })

  test('a server that is gone is told at once, and used again when it is back', async () => {
    const counters = await open()
    await engine.kill()
    await expect(counters.take('a', RATE_LIMITS.default)).rejects.toThrow()
    engine = await startRedis({ stateDir, port: Number(new URL(engine.url).port) })
    const admitted = () =>
      counters.take('a', RATE_LIMITS.default).then(
        (taken) => taken.admitted,
        () => 'gone',
      )
    await expect.poll(admitted, { timeout: 20_000 }).toBe(true)
    await counters.close()
  })
})
