import { expect, test } from 'vitest'
import * as s from '../../../services/core/runtime/settings.ts'

const declared = {
  brokers: s.text('MILLRACE_BROKERS', { doc: 'Brokers.' }),
  port: s.integer('MILLRACE_PORT', { doc: 'Port.', default: '80', min: 1, max: 65535 }),
  size: s.bytes('MILLRACE_SIZE', { doc: 'Size.', default: '64MB' }),
  age: s.duration('MILLRACE_AGE', { doc: 'Age.', default: '5m' }),
  on: s.boolean('MILLRACE_ON', { doc: 'On.', default: 'false' }),
  mode: s.choice('MILLRACE_MODE', ['fast', 'safe'], { doc: 'Mode.', default: 'safe' }),
  secret: s.optional(s.integer('MILLRACE_SECRET', { doc: 'Secret.', secret: true })),
}

test('every fault is reported at once, and secrets are not shown', () => {
  const environment = {
    MILLRACE_PORT: '70000',
    MILLRACE_SIZE: 'big',
    MILLRACE_AGE: '5',
    MILLRACE_ON: 'yes',
    MILLRACE_MODE: 'slow',
    MILLRACE_SECRET: 'hunter2',
  }
  const error = (() => {
    try {
      s.parseSettings(declared, environment)
    } catch (thrown) {
      return thrown as s.SettingsError
    }
  })()
  expect(error?.faults).toEqual([
    'MILLRACE_BROKERS is not set. It is needed: Brokers.',
    'MILLRACE_PORT is "70000" but must be from 1 to 65535.',
    'MILLRACE_SIZE is "big" but must be bytes like 1048576, 512KB, 64MB or 2GB.',
    'MILLRACE_AGE is "5" but must be a duration like 250ms, 30s, 5m, 12h or 7d.',
    'MILLRACE_ON is "yes" but must be true or false.',
    'MILLRACE_MODE is "slow" but must be one of fast, safe.',
    'MILLRACE_SECRET is *** but must be a whole number.',
  ])
})

test('defaults hold where nothing is set, and the result is frozen', () => {
  const settings = s.parseSettings(declared, { MILLRACE_BROKERS: 'a:1' })
  expect(settings).toEqual({
    brokers: 'a:1',
    port: 80,
    size: 64 * 1024 * 1024,
    age: 300_000,
    on: false,
    mode: 'safe',
    secret: null,
  })
  expect(Object.isFrozen(settings)).toBe(true)
})

test('an empty text is not a value for what is required', () => {
  expect(() => s.parseSettings({ brokers: declared.brokers }, { MILLRACE_BROKERS: '' })).toThrow('is not set')
})
