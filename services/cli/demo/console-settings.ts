import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KafkaSettings } from '../../core/kafka/kafka-settings.ts'

/** Client settings for Kafka's own tools, in a file that nobody else may read: it holds the password. */
export interface ConsoleSettings {
  /** Null for a plain broker, which needs none. */
  readonly file: string | null
  remove(): void
}

export function writeConsoleSettings(settings: KafkaSettings): ConsoleSettings {
  if (settings.kafkaSecurityProtocol === 'plaintext') return { file: null, remove: () => {} }
  const dir = mkdtempSync(join(tmpdir(), 'millrace-console-'))
  const file = join(dir, 'client.properties')
  writeFileSync(file, consoleProperties(settings), { mode: 0o600 })
  return { file, remove: () => rmSync(dir, { recursive: true, force: true }) }
}

/** The same connection as the stages', in the words of Kafka's Java client. */
export function consoleProperties(settings: KafkaSettings): string {
  const { kafkaSecurityProtocol, kafkaSaslMechanism, kafkaUser, kafkaPassword, kafkaCaFile } = settings
  const lines = [`security.protocol=${kafkaSecurityProtocol.toUpperCase()}`]
  if (kafkaSecurityProtocol.startsWith('sasl')) {
    const login = kafkaSaslMechanism === 'PLAIN' ? 'plain.PlainLoginModule' : 'scram.ScramLoginModule'
    lines.push(
      `sasl.mechanism=${kafkaSaslMechanism}`,
      `sasl.jaas.config=org.apache.kafka.common.security.${login} required username=${quoted(kafkaUser)} password=${quoted(kafkaPassword)};`,
    )
  }
  if (kafkaSecurityProtocol.endsWith('ssl') && kafkaCaFile !== null)
    lines.push('ssl.truststore.type=PEM', `ssl.truststore.location=${escaped(kafkaCaFile)}`)
  return `${lines.join('\n')}\n`
}

/** A JAAS string inside of a properties file: both take the backslash away once. */
function quoted(value: string | null): string {
  return escaped(`"${(value ?? '').replace(/[\\"]/g, '\\$&')}"`)
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\')
}
