import { expect, test } from 'vitest'
import { WATCH_EVERY_MS, watchDependencies } from '../../../services/core/runtime/dependency-watch.ts'
import { Health } from '../../../services/core/runtime/health.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'

function watching(ask: () => Promise<unknown>) {
  const clock = createManualClock(0)
  const health = new Health()
  const stop = new AbortController()
  const done = watchDependencies([{ name: 'store', ask }], health, clock, stop.signal)
  const answer = () => health.ready().checks.store
  return { clock, answer, stop, done }
}

test('nobody is ready for a dependency that has not answered yet', async () => {
  const { answer } = watching(() => new Promise(() => {}))
  expect(answer()).toBe('store has not answered yet.')
})

test('what the last question came to is the answer until the next', async () => {
  const answers = [
    () => Promise.resolve(),
    () => Promise.reject(new Error('It is gone.')),
    () => Promise.resolve(),
  ]
  const { clock, answer } = watching(() => answers.shift()?.() ?? Promise.resolve())
  const seen: (string | undefined)[] = []
  for (let i = 0; i < 3; i++) {
    await clock.advance(0)
    seen.push(answer())
    await clock.advance(WATCH_EVERY_MS)
  }
  expect(seen).toEqual(['ok', 'It is gone.', 'ok'])
})

test('silence is an answer after three pauses, and not before', async () => {
  let asked = 0
  const { clock, answer } = watching(() => (asked++ === 0 ? Promise.resolve() : new Promise(() => {})))
  await clock.advance(WATCH_EVERY_MS)
  await clock.advance(3 * WATCH_EVERY_MS)
  expect(answer()).toBe('ok')
  await clock.advance(1)
  expect(answer()).toBe('store does not answer.')
})

test('it ends with the signal, in the pause and while a question hangs', async () => {
  for (const ask of [() => Promise.resolve(), () => new Promise(() => {})]) {
    const { clock, stop, done } = watching(ask)
    await clock.advance(0)
    stop.abort()
    await done
  }
})
