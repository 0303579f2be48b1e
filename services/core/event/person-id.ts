import { uuidOfName } from './uuid-of-name.ts'

/** Where the ids of persons are names in, as RFC 9562 means it: a UUID of our own, never to be changed. */
export const PERSON_NAMESPACE_HEX = '6d1c2f1e9a0b4b7e8f3a52c7d90e41aa'
const NAMESPACE = Buffer.from(PERSON_NAMESPACE_HEX, 'hex')

/** The id that the API gives away for a person: a UUID that follows from its dataset and key. */
export function personIdOf(datasetId: string, personKey: string): string {
  return uuidOfName(NAMESPACE, `${datasetId}\u0000${personKey}`)
}

/** The distinct id that a person began with: its key, but for a number that tells it from an earlier person of that id. */
export function firstIdOf(personKey: string): string {
  return personKey.split('\u0001')[0] as string
}
