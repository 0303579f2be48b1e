import { expect, test } from 'vitest'
import {
  countEvent,
  type Place,
  reconcile,
  renderReconciliation,
  type Seen,
} from '../../../../services/cli/demo/reconcile.ts'

const expected = new Set(['shop/1', 'shop/2', 'blog/1'])

function events(...names: string[]): Seen {
  const found = new Map<string, number>()
  for (const name of names) countEvent(found, name.split('/')[0]!, name.split('/')[1]!)
  return { kind: 'events', expected, found }
}

function place(seen: Seen, faults: readonly string[] = []): Place {
  return { name: 'sub.all', counted: 'records', seen, faults }
}

test('a place that lacks an event does not balance and names it', () => {
  const { balanced, lines } = reconcile(['shop', 'blog'], [place(events('shop/1', 'blog/1'))])
  expect(balanced).toBe(false)
  expect(lines.map((line) => line.faults)).toEqual([['sub.all: 1 event is missing: shop/2.'], []])
})

test('a repeated event does not balance although the sum would', () => {
  const { lines } = reconcile(['shop', 'blog'], [place(events('shop/1', 'shop/1', 'blog/1'))])
  expect(lines[0]).toMatchObject({
    expected: 2,
    found: 2,
    faults: ['sub.all: 1 event is missing: shop/2.', 'sub.all: 1 event is there more than once: shop/1.'],
  })
})

test('an event that has no business there is named', () => {
  const { lines } = reconcile(['shop', 'blog'], [place(events('shop/1', 'shop/2', 'shop/3', 'blog/1'))])
  expect(lines[0]!.faults).toEqual(['sub.all: 1 event is there but not expected: shop/3.'])
})

test('counts by dataset are compared where a reader sees no ids', () => {
  const seen: Seen = {
    kind: 'counts',
    expected: new Map([
      ['shop', 2],
      ['blog', 1],
    ]),
    found: new Map([
      ['shop', 1],
      ['blog', 1],
    ]),
  }
  const { lines } = reconcile(['shop', 'blog'], [place(seen)])
  expect(lines.map((line) => line.faults)).toEqual([
    ['sub.all: records say 1 for shop, 2 must be there.'],
    [],
  ])
})

test('what a reader noticed by itself fails a place whose counts agree', () => {
  const found = events('shop/1', 'shop/2', 'blog/1')
  const { balanced, lines } = reconcile(['shop', 'blog'], [place(found, ['An object is gone.'])])
  expect(balanced).toBe(false)
  expect(lines[0]!.faults).toEqual(['An object is gone.'])
})

test('a fault names three events and counts the rest', () => {
  const many = new Set(['a/1', 'a/2', 'a/3', 'a/4', 'a/5'])
  const { lines } = reconcile(['a'], [place({ kind: 'events', expected: many, found: new Map() })])
  expect(lines[0]!.faults).toEqual(['sub.all: 5 events are missing: a/1, a/2, a/3 and 2 more.'])
})

test('what balances is printed as a table that says so', () => {
  const text = renderReconciliation(
    reconcile(['shop', 'blog'], [place(events('shop/1', 'shop/2', 'blog/1'))]),
  )
  expect(text).toContain('sub.all  records     shop            2      2  balanced')
  expect(text).toContain('All 2 lines balance.')
})
