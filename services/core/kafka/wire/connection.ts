import { readFileSync } from 'node:fs'
import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { KafkaSettings } from '../kafka-settings.ts'
import { APIS, type Api } from './apis.ts'
import { WireReader, WireWriter } from './codec.ts'
import { BrokerError } from './errors.ts'
import { saslExchange } from './sasl.ts'

/** An answer larger than this is none of Kafka's: TLS and HTTP bytes read as a length are far beyond it. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024
/** A host that swallows what is sent to it must not hold up the next broker's turn for long, ms. */
const CONNECT_TIMEOUT_MS = 10_000
/** Share of a session's life after which the connection is not used for anything new (KIP-368). */
const SESSION_SHARE = 0.8

export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

/** One connection to one broker. Brokers answer in the order asked, so a long poll holds up what is asked after it. */
export interface Connection {
  /** Nothing new should be asked: it is broken, closed, or its sign-in ends soon. */
  readonly spent: boolean
  /** Features that the whole cluster has switched on, with their level (KIP-584). */
  readonly features: ReadonlyMap<string, number>
  /**
   * @returns the body of the answer
   * @throws DependencyError `unavailable` when the connection broke, `timeout`; the request may have been carried out
   */
  ask(api: Api, body: WireWriter, timeoutMs?: number): Promise<WireReader>
  /** Breaks it off: what is under way fails with `unavailable`. */
  close(): void
}

interface Asked {
  readonly correlationId: number
  readonly resolve: (answer: WireReader) => void
  readonly reject: (error: DependencyError) => void
  readonly timer: NodeJS.Timeout
}

/**
 * Connects, signs in when the settings say so, and makes sure that the broker speaks the versions needed.
 *
 * @param closing ends the connection, also one that is still being made
 * @throws DependencyError `unavailable`, `timeout`, `denied`, or `rejected` for a broker that is too old
 */
export async function openConnection(
  address: BrokerAddress,
  settings: KafkaSettings,
  clientId: string,
  closing: AbortSignal,
): Promise<Connection> {
  const where = `${address.host}:${address.port}`
  const socket = await openSocket(address, where, settings, closing)
  const asked: Asked[] = []
  const incoming = createFrames(onFrame, (detail) => fail('unavailable', detail))
  let correlationId = 0
  let broken: DependencyError | null = null
  let features: ReadonlyMap<string, number> = new Map()
  let signedInUntil = Number.POSITIVE_INFINITY

  function fail(code: 'unavailable' | 'timeout', detail: string): void {
    if (broken) return
    broken = new DependencyError('kafka', code, `Kafka at ${where}: ${detail}`)
    closing.removeEventListener('abort', close)
    socket.destroy()
    for (const { reject, timer } of asked.splice(0)) {
      clearTimeout(timer)
      reject(broken)
    }
  }

  const close = () => fail('unavailable', 'the connection was closed by us.')

  function onFrame(frame: Buffer): void {
    const reader = new WireReader(frame)
    const first = asked.shift()
    if (!first || reader.int32() !== first.correlationId) {
      if (first) asked.unshift(first)
      fail('unavailable', 'it answered something that was not asked.')
      return
    }
    clearTimeout(first.timer)
    first.resolve(reader)
  }

  closing.addEventListener('abort', close)
  if (closing.aborted) close()
  socket.on('data', incoming)
  socket.on('error', (error) => fail('unavailable', error.message))
  socket.on('close', () => fail('unavailable', 'the connection was closed.'))

  function send(
    api: Api,
    body: WireWriter,
    timeoutMs: number,
    header: 'flexible' | 'plain',
  ): Promise<WireReader> {
    if (broken) return Promise.reject(broken)
    correlationId = (correlationId + 1) & 0x7fffffff
    const head = new WireWriter(64).int32(0).int16(api.key).int16(api.version).int32(correlationId)
    head.shortString(clientId)
    if (header === 'flexible') head.noTags()
    head.written.writeInt32BE(head.length + body.length - 4, 0)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => fail('timeout', `no answer to ${api.name} in ${timeoutMs} ms.`),
        timeoutMs,
      )
      asked.push({ correlationId, resolve, reject, timer })
      socket.cork()
      socket.write(head.written)
      socket.write(body.written)
      socket.uncork()
    })
  }

  const connection: Connection = {
    get spent() {
      return broken !== null || performance.now() > signedInUntil
    },
    get features() {
      return features
    },
    async ask(api, body, timeoutMs = settings.kafkaRequestTimeoutMs) {
      const answer = await send(api, body, timeoutMs, 'flexible')
      answer.tags()
      return answer
    },
    close,
  }

  try {
    if (settings.kafkaSecurityProtocol.startsWith('sasl')) signedInUntil = await signIn()
    await checkVersions()
  } catch (error) {
    connection.close()
    throw isDependencyError(error)
      ? error
      : new DependencyError('kafka', 'unavailable', `Kafka at ${where}: ${(error as Error).message}`, error)
  }
  return connection

  /** @returns until when, on the clock of `performance.now()` */
  async function signIn(): Promise<number> {
    const mechanism = settings.kafkaSaslMechanism
    const refused = (detail: string) =>
      new DependencyError('kafka', 'denied', `Kafka at ${where} refused to sign us in: ${detail}`)
    const offered = await send(
      SASL_HANDSHAKE,
      new WireWriter().shortString(mechanism),
      settings.kafkaRequestTimeoutMs,
      'plain',
    )
    const code = offered.int16()
    const mechanisms = offered.longArray(() => offered.shortString())
    if (code !== 0)
      throw refused(
        `it does not take ${mechanism}, but ${mechanisms.join(', ')}; set MILLRACE_KAFKA_SASL_MECHANISM.`,
      )
    const exchange = saslExchange(mechanism, settings.kafkaUser ?? '', settings.kafkaPassword ?? '')
    let lifeMs = 0
    for (let message: Buffer | null = exchange.first; message !== null; ) {
      const answer: WireReader = await connection.ask(
        SASL_AUTHENTICATE,
        new WireWriter().bytes(message).noTags(),
      )
      const error = answer.int16()
      const detail = answer.nullableString()
      if (error !== 0) throw refused(detail ?? new BrokerError(error).message)
      const challenge = answer.bytesView()
      lifeMs = answer.int64()
      try {
        message = exchange.next(challenge)
      } catch (cause) {
        throw refused((cause as Error).message)
      }
    }
    return lifeMs > 0 ? performance.now() + lifeMs * SESSION_SHARE : Number.POSITIVE_INFINITY
  }

  async function checkVersions(): Promise<void> {
    // This answer alone never has tagged fields in its header, so that any client can read it.
    const answer = await send(
      APIS.apiVersions,
      new WireWriter().string('millrace').string('1').noTags(),
      settings.kafkaRequestTimeoutMs,
      'flexible',
    )
    const code = answer.int16()
    const ranges = new Map<number, { min: number; max: number }>()
    if (code === 0)
      answer.array(() => {
        const key = answer.int16()
        ranges.set(key, { min: answer.int16(), max: answer.int16() })
        answer.tags()
      })
    if (code === 0) {
      answer.int32() // throttle time
      features = finalizedFeatures(answer)
    }
    for (const api of Object.values(APIS)) {
      const range = ranges.get(api.key)
      if (range && api.version >= range.min && api.version <= range.max) continue
      throw new DependencyError(
        'kafka',
        'rejected',
        `Kafka at ${where} does not speak ${api.name} version ${api.version}: Kafka 3.1 or newer is needed.`,
      )
    }
  }
}

/** Number of the tagged field that says what the cluster has switched on. */
const FINALIZED_FEATURES = 2

function finalizedFeatures(answer: WireReader): ReadonlyMap<string, number> {
  const features = new Map<string, number>()
  for (let count = answer.uvarint(); count > 0; count--) {
    const tag = answer.uvarint()
    const end = answer.uvarint() + answer.position
    if (tag === FINALIZED_FEATURES)
      answer.array(() => {
        const name = answer.string()
        features.set(name, answer.int16()) // highest level
        answer.int16() // lowest level
        answer.tags()
      })
    answer.position = end
  }
  return features
}

const SASL_HANDSHAKE: Api = { name: 'SaslHandshake', key: 17, version: 1 }
const SASL_AUTHENTICATE: Api = { name: 'SaslAuthenticate', key: 36, version: 2 }

function openSocket(
  address: BrokerAddress,
  where: string,
  settings: KafkaSettings,
  closing: AbortSignal,
): Promise<Socket> {
  const encrypted = settings.kafkaSecurityProtocol.endsWith('ssl')
  const ca = settings.kafkaCaFile === null ? {} : { ca: readFileSync(settings.kafkaCaFile) }
  return new Promise((resolve, reject) => {
    const socket = encrypted
      ? connectTls({ ...address, ...ca, ...(isIP(address.host) === 0 && { servername: address.host }) })
      : connectPlain(address)
    socket.setNoDelay(true)
    const refuse = (code: 'unavailable' | 'timeout' | 'denied', detail: string) => {
      settle()
      socket.destroy()
      reject(new DependencyError('kafka', code, `Connecting to Kafka at ${where} failed: ${detail}`))
    }
    const timeoutMs = Math.min(CONNECT_TIMEOUT_MS, settings.kafkaRequestTimeoutMs)
    const timer = setTimeout(() => refuse('timeout', `no answer in ${timeoutMs} ms.`), timeoutMs)
    const onError = (error: NodeJS.ErrnoException) => {
      // A certificate that is not trusted stays so; everything else may pass.
      const untrusted = /CERT|SELF_SIGNED|ALTNAME|ISSUER/.test(error.code ?? '')
      refuse(untrusted ? 'denied' : 'unavailable', error.message || (error.code ?? 'no reason given'))
    }
    const onClosing = () => refuse('unavailable', 'the connection was closed by us.')
    const settle = () => {
      clearTimeout(timer)
      closing.removeEventListener('abort', onClosing)
    }
    closing.addEventListener('abort', onClosing)
    if (closing.aborted) onClosing()
    socket.once('error', onError)
    socket.once(encrypted ? 'secureConnect' : 'connect', () => {
      settle()
      socket.removeListener('error', onError)
      resolve(socket)
    })
  })
}

/** Cuts a stream into its length-prefixed frames, each in a buffer of its own that views may keep. */
function createFrames(
  onFrame: (frame: Buffer) => void,
  onWrong: (detail: string) => void,
): (chunk: Buffer) => void {
  const size = Buffer.alloc(4)
  let sizeFilled = 0
  let frame: Buffer | null = null
  let filled = 0

  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (frame === null) {
        const taken = chunk.copy(size, sizeFilled, at, Math.min(chunk.length, at + 4 - sizeFilled))
        at += taken
        sizeFilled += taken
        if (sizeFilled < 4) return
        sizeFilled = 0
        const length = size.readInt32BE(0)
        if (length < 4 || length > ANSWER_BYTES_MAX) {
          onWrong(
            'it does not speak Kafka’s protocol; are MILLRACE_KAFKA_BROKERS and MILLRACE_KAFKA_SECURITY_PROTOCOL right?',
          )
          return
        }
        frame = Buffer.allocUnsafeSlow(length)
        filled = 0
      }
      const taken = chunk.copy(frame, filled, at)
      at += taken
      filled += taken
      if (filled === frame.length) {
        const whole = frame
        frame = null
        onFrame(whole)
      }
    }
  }
}
