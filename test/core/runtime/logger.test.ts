import { expect, test } from 'vitest'
import { createLogger } from '../../../services/core/runtime/logger.ts'

function lines(write: (log: ReturnType<typeof createLogger>) => void): Record<string, unknown>[] {
  const out: string[] = []
  write(createLogger('test', 'info', { write: (line) => void out.push(line) }))
  return out.map((line) => JSON.parse(line))
}

test('hostile text stays inside one JSON line', () => {
  const hostile = '\r\n{"level":"fatal"}\u001b[2J\u2028%s'
  const [line, ...rest] = lines((log) => log.warn({ event: hostile }, 'Refused.'))
  expect(rest).toEqual([])
  expect(line).toMatchObject({ stage: 'test', event: hostile, msg: 'Refused.' })
})

test('keys and secrets are masked', () => {
  const [line] = lines((log) =>
    log.info({ key: 'mr_w_x', headers: { authorization: 'Bearer x' }, s3: { secret: 'x' } }, 'Request.'),
  )
  expect(line).toMatchObject({ key: '***', headers: { authorization: '***' }, s3: { secret: '***' } })
})
