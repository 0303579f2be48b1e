import type { Message } from '@confluentinc/kafka-javascript'
import type { RecordBatch } from './log.ts'

/** Groups records by partition, keeping their order. */
export function recordBatches(messages: readonly Message[]): RecordBatch[] {
  const groups = new Map<string, Message[]>()
  let last: Message[] = []
  for (const message of messages) {
    const first = last[0]
    if (first?.partition === message.partition && first.topic === message.topic) {
      last.push(message)
      continue
    }
    const key = `${message.partition}:${message.topic}`
    const group = groups.get(key)
    if (group) {
      group.push(message)
      last = group
    } else {
      last = [message]
      groups.set(key, last)
    }
  }
  return [...groups.values()].map(recordBatch)
}

/** @param messages of one partition, at least one */
export function recordBatch(messages: readonly Message[]): RecordBatch {
  const { topic, partition } = messages[0] as Message
  const at = (index: number) => messages[index] as Message
  let byteLength = 0
  for (const message of messages) byteLength += message.value?.length ?? 0
  return {
    topic,
    partition,
    length: messages.length,
    byteLength,
    offset: (index) => at(index).offset,
    timestamp: (index) => at(index).timestamp ?? 0,
    key: (index) => (at(index).key ?? null) as Buffer | null,
    value: (index) => at(index).value,
    header(index, name) {
      for (const header of at(index).headers ?? []) {
        const value = header[name]
        if (value !== undefined) return value.toString()
      }
      return null
    },
  }
}
