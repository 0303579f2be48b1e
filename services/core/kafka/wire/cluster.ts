import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { KafkaSettings } from '../kafka-settings.ts'
import { APIS, type Api } from './apis.ts'
import { type WireReader, WireWriter } from './codec.ts'
import { type BrokerAddress, type Connection, openConnection } from './connection.ts'
import { queryError } from './dependency-errors.ts'
import { BrokerError } from './errors.ts'

export interface TopicMetadata {
  readonly topic: string
  /** As Kafka's own tools print it. Changes when the topic is deleted and made again. */
  readonly topicId: string
  /** 0, or why nothing more is known of it. */
  readonly code: number
  /** Broker id of the leader by partition number; -1 for a partition without one. */
  readonly leaders: readonly number[]
  /** The fewest that any partition has. */
  readonly replicas: number
}

/** The brokers of a cluster and who is responsible for what, with at most one connection to each. */
export interface Cluster {
  /** @param topics all topics when null. Asked anew by every call. */
  metadata(topics: readonly string[] | null): Promise<readonly TopicMetadata[]>
  /** Asks one broker that metadata or `coordinator` named. */
  ask(brokerId: number, api: Api, body: WireWriter, timeoutMs?: number): Promise<WireReader>
  /** Asks the broker that may change topics. */
  askController(api: Api, body: WireWriter): Promise<WireReader>
  /** Asks any broker. */
  askAnyone(api: Api, body: WireWriter): Promise<WireReader>
  /** Broker id of the coordinator of a group, or of a transactional id. */
  coordinator(id: string, of?: 'group' | 'transaction'): Promise<number>
  /** Level of a feature that the cluster has switched on, as that broker tells; 0 when it has not. */
  feature(brokerId: number, name: string): Promise<number>
  /** Breaks every connection off. */
  close(): void
}

/** Opens nothing by itself: the first question connects. Every failure is a DependencyError('kafka', …). */
export function openCluster(settings: KafkaSettings, clientId: string): Cluster {
  const seeds = brokerAddresses(settings.kafkaBrokers)
  const addresses = new Map<number, BrokerAddress>()
  const connections = new Map<string, Promise<Connection>>()
  let controllerId = -1
  const closing = new AbortController()

  async function connection(address: BrokerAddress): Promise<Connection> {
    if (closing.signal.aborted)
      throw new DependencyError('kafka', 'unavailable', 'The Kafka client is closed.')
    const where = `${address.host}:${address.port}`
    const known = connections.get(where)
    if (known) {
      const open = await known
      if (!open.spent) return open
      if (connections.get(where) === known) connections.delete(where)
      return connection(address)
    }
    const opening = openConnection(address, settings, clientId, closing.signal)
    connections.set(where, opening)
    try {
      return await opening
    } catch (error) {
      if (connections.get(where) === opening) connections.delete(where)
      throw error
    }
  }

  /** A connection to any broker: one that is open already, else the first that lets us in. */
  async function anyone(): Promise<Connection> {
    const places = [...addresses.values(), ...seeds]
    const open = places.find(({ host, port }) => connections.has(`${host}:${port}`))
    let failure: unknown = null
    for (const place of open ? [open, ...places] : places) {
      try {
        return await connection(place)
      } catch (error) {
        failure = moreTelling(failure, error)
      }
    }
    throw failure
  }

  async function metadata(topics: readonly string[] | null): Promise<readonly TopicMetadata[]> {
    const body = new WireWriter()
    if (topics === null) body.uvarint(0)
    else body.array(topics, (topic) => body.raw(NO_UUID).string(topic).noTags())
    body.boolean(false).boolean(false).noTags()
    const answer = await (await anyone()).ask(APIS.metadata, body)
    answer.int32() // throttle time
    addresses.clear()
    answer.array(() => {
      const id = answer.int32()
      addresses.set(id, { host: answer.string(), port: answer.int32() })
      answer.nullableString() // rack
      answer.tags()
    })
    answer.nullableString() // cluster id
    controllerId = answer.int32()
    return answer.array(() => {
      const code = answer.int16()
      const topic = answer.string()
      const topicId = answer.uuid().toString('base64url')
      answer.boolean() // internal
      const leaders: number[] = []
      let replicas = Number.POSITIVE_INFINITY
      answer.array(() => {
        answer.int16() // why there is no leader, which the leader's id says as well
        const partition = answer.int32()
        leaders[partition] = answer.int32()
        answer.int32() // leader epoch
        replicas = Math.min(replicas, answer.array(() => answer.int32()).length)
        answer.array(() => answer.int32()) // in sync
        answer.array(() => answer.int32()) // offline
        answer.tags()
      })
      answer.int32() // authorized operations
      answer.tags()
      return { topic, topicId, code, leaders, replicas }
    })
  }

  async function address(brokerId: number): Promise<BrokerAddress> {
    if (!addresses.has(brokerId)) await metadata([])
    const known = addresses.get(brokerId)
    if (known) return known
    throw new DependencyError('kafka', 'unavailable', `Broker ${brokerId} is not part of the cluster now.`)
  }

  async function ask(brokerId: number, api: Api, body: WireWriter, timeoutMs?: number): Promise<WireReader> {
    return (await connection(await address(brokerId))).ask(api, body, timeoutMs)
  }

  return {
    metadata,
    ask,
    async askController(api, body) {
      // Brokers of a KRaft cluster pass it on: they name any of themselves as the controller.
      await metadata([])
      return ask(controllerId, api, body)
    },
    askAnyone: async (api, body) => (await anyone()).ask(api, body),
    feature: async (brokerId, name) => (await connection(await address(brokerId))).features.get(name) ?? 0,
    async coordinator(id, of = 'group') {
      const body = new WireWriter().int8(of === 'group' ? GROUP : TRANSACTION)
      body.array([id], (key) => body.string(key)).noTags()
      const answer = await (await anyone()).ask(APIS.findCoordinator, body)
      answer.int32() // throttle time
      const [found] = answer.array(() => {
        answer.string() // group or transactional id
        const broker = answer.int32()
        const place = { host: answer.string(), port: answer.int32() }
        const code = answer.int16()
        const detail = answer.nullableString()
        answer.tags()
        return { broker, place, code, detail }
      })
      if (found?.code !== 0)
        throw queryError(
          `Finding the coordinator of ${of} ${id}`,
          new BrokerError(found?.code ?? -1, found?.detail),
        )
      addresses.set(found.broker, found.place)
      return found.broker
    },
    close() {
      closing.abort()
      connections.clear()
    },
  }
}

const GROUP = 0
const TRANSACTION = 1
const NO_UUID = Buffer.alloc(16)

/** Whoever cannot reach any broker is helped most by a refusal, if there was one. */
function moreTelling(earlier: unknown, later: unknown): unknown {
  return isDependencyError(earlier) && !earlier.retriable ? earlier : later
}

/** @param brokers `host:port` texts separated by commas, as in `MILLRACE_KAFKA_BROKERS`; IPv6 hosts in brackets */
export function brokerAddresses(brokers: string): readonly BrokerAddress[] {
  return brokers.split(',').map((broker) => {
    const text = broker.trim()
    const colon = text.lastIndexOf(':')
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
  })
}
