import { CommanderError } from 'commander'
import { expect, test } from 'vitest'
import { endOf } from '../../../services/cli/exit-status.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { SettingsError } from '../../../services/core/runtime/settings.ts'

test('a command line that cannot be followed ends with 2, without being said twice', () => {
  expect(endOf(new CommanderError(1, 'commander.unknownOption', 'unknown'))).toEqual({
    status: 2,
    sentence: null,
  })
  expect(endOf(new CommanderError(0, 'commander.version', '1'))).toEqual({ status: 0, sentence: null })
  expect(endOf(new SettingsError(['X is not set.'])).status).toBe(2)
})

test('a failure ends with 1 and says each cause once', () => {
  const refused = new Error('connection refused')
  const error = new DependencyError('kafka', 'unavailable', 'Kafka does not answer', refused)
  expect(endOf(error)).toEqual({
    status: 1,
    sentence: 'Kafka does not answer\n  because: connection refused',
  })
  expect(endOf(new Error('Kafka: connection refused', { cause: refused })).sentence).toBe(
    'Kafka: connection refused',
  )
})

test('our own mistakes keep their stack', () => {
  expect(endOf(new TypeError('x is not a function')).sentence).toContain('exit-status.test.ts')
})
