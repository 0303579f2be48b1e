import { expect, test } from 'vitest'
import { KAFKA_SETTINGS } from '../../../services/core/kafka/kafka-settings.ts'
import { parseSettings } from '../../../services/core/runtime/settings.ts'

test('without settings the local broker is used, in plain text', () => {
  expect(parseSettings(KAFKA_SETTINGS, {})).toMatchObject({
    kafkaBrokers: '127.0.0.1:19092',
    kafkaSecurityProtocol: 'plaintext',
    kafkaSaslMechanism: 'SCRAM-SHA-512',
  })
})

test('a fault is told without the password', () => {
  expect(() => parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_SECURITY_PROTOCOL: 'tls' })).toThrow(
    'MILLRACE_KAFKA_SECURITY_PROTOCOL is "tls" but must be one of plaintext, ssl, sasl_plaintext, sasl_ssl.',
  )
  expect(KAFKA_SETTINGS.kafkaPassword.secret).toBe(true)
})
