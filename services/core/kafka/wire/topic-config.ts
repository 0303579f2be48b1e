import { type WireReader, WireWriter } from './codec.ts'
import { BrokerError } from './errors.ts'

/** What DescribeConfigs calls a topic. */
const TOPIC = 2

/** The body of DescribeConfigs version 4 that asks for everything a topic is set to. */
export function topicConfigRequest(topic: string): WireWriter {
  const body = new WireWriter()
  // No list of names: all of them.
  body.array([topic], () => body.int8(TOPIC).string(topic).uvarint(0).noTags())
  const [synonyms, documentation] = [false, false]
  return body.boolean(synonyms).boolean(documentation).noTags()
}

/**
 * @returns settings by name, with what the brokers have by default where the topic says nothing; without those that
 * have no value or that brokers keep to themselves
 * @throws BrokerError
 */
export function topicConfigIn(answer: WireReader): Readonly<Record<string, string>> {
  const config: Record<string, string> = {}
  answer.int32() // throttle time
  answer.array(() => {
    const code = answer.int16()
    const detail = answer.nullableString()
    if (code !== 0) throw new BrokerError(code, detail)
    answer.int8() // kind
    answer.string() // topic
    answer.array(() => {
      const name = answer.string()
      const value = answer.nullableString()
      if (value !== null) config[name] = value
      answer.boolean() // read only
      answer.int8() // source
      answer.boolean() // sensitive
      answer.array(() => {
        answer.string() // name of a synonym
        answer.nullableString()
        answer.int8() // its source
        answer.tags()
      })
      answer.int8() // type
      answer.nullableString() // documentation
      answer.tags()
    })
    answer.tags()
  })
  return config
}
