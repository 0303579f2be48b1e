import { expect, test } from 'vitest'
import { consoleProperties } from '../../../../services/cli/demo/console-settings.ts'
import { KAFKA_SETTINGS } from '../../../../services/core/kafka/kafka-settings.ts'
import { parseSettings } from '../../../../services/core/runtime/settings.ts'

test('a password with quotes and backslashes survives both kinds of escaping', () => {
  const settings = parseSettings(KAFKA_SETTINGS, {
    MILLRACE_KAFKA_SECURITY_PROTOCOL: 'sasl_ssl',
    MILLRACE_KAFKA_SASL_MECHANISM: 'PLAIN',
    MILLRACE_KAFKA_USER: 'mill',
    MILLRACE_KAFKA_PASSWORD: 'a"b\\c',
    MILLRACE_KAFKA_CA_FILE: '/etc/ca.pem',
  })
  expect(consoleProperties(settings).trimEnd().split('\n')).toEqual([
    'security.protocol=SASL_SSL',
    'sasl.mechanism=PLAIN',
    'sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="mill" password="a\\\\"b\\\\\\\\c";',
    'ssl.truststore.type=PEM',
    'ssl.truststore.location=/etc/ca.pem',
  ])
})
