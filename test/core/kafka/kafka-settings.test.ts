import { expect, test } from 'vitest'
import { KAFKA_SETTINGS } from '../../../services/core/kafka/kafka-settings.ts'
import { connectionConfig } from '../../../services/core/kafka/librdkafka-client.ts'
import { parseSettings } from '../../../services/core/runtime/settings.ts'

const configOf = (environment: Record<string, string>) =>
  connectionConfig(parseSettings(KAFKA_SETTINGS, environment), 'test')

test('without settings the local broker is used, in plain text', () => {
  expect(configOf({})).toMatchObject({
    'bootstrap.servers': '127.0.0.1:19092',
    'security.protocol': 'plaintext',
  })
})

test('a user and a password are sent with a sasl protocol only', () => {
  const account = { MILLRACE_KAFKA_USER: 'mill', MILLRACE_KAFKA_PASSWORD: 'race' }
  expect(Object.keys(configOf(account)).filter((key) => key.startsWith('sasl'))).toEqual([])
  expect(configOf({ ...account, MILLRACE_KAFKA_SECURITY_PROTOCOL: 'sasl_ssl' })).toMatchObject({
    'security.protocol': 'sasl_ssl',
    'sasl.mechanisms': 'SCRAM-SHA-512',
    'sasl.username': 'mill',
    'sasl.password': 'race',
  })
})

test('brokers are verified against the given authorities', () => {
  expect(
    configOf({ MILLRACE_KAFKA_SECURITY_PROTOCOL: 'ssl', MILLRACE_KAFKA_CA_FILE: '/etc/ca.pem' }),
  ).toMatchObject({ 'ssl.ca.location': '/etc/ca.pem' })
})

test('a fault is told without the password', () => {
  expect(() => parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_SECURITY_PROTOCOL: 'tls' })).toThrow(
    'MILLRACE_KAFKA_SECURITY_PROTOCOL is "tls" but must be one of plaintext, ssl, sasl_plaintext, sasl_ssl.',
  )
  expect(KAFKA_SETTINGS.kafkaPassword.secret).toBe(true)
})
