import { expect, test } from 'vitest'
import {
  eventIdentity,
  eventPayload,
  refusedKey,
} from '../../../../services/enricher/dedupe/event-identity.ts'

test('sent_at of the event is no part of its payload, everything else is', () => {
  expect(eventPayload({ event: 'x', sent_at: '1' })).toBe(eventPayload({ sent_at: '2', event: 'x' }))
  expect(eventPayload({ event: 'x', n: 1 })).not.toBe(eventPayload({ event: 'x', n: 2 }))
})

test('dataset and id make the key, without a way to pass one for the other', () => {
  const key = (dataset: string, id: string) => eventIdentity(dataset, id, '').key.toString('hex')
  expect(key('shop', 'a')).not.toBe(key('shopa', ''))
  expect(key('shop', 'a')).not.toBe(key('blog', 'a'))
  expect(key('shop', 'a')).toHaveLength(32)
})

test('refused events of one id are told apart by their payload, and from the accepted one', () => {
  const [one, two] = [eventIdentity('shop', 'a', 'x'), eventIdentity('shop', 'a', 'y')]
  const keys = [one.key, refusedKey(one), refusedKey(two)].map((key) => key.toString('hex'))
  expect(new Set(keys).size).toBe(3)
  expect(one.key).toEqual(two.key)
})
