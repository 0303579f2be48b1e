import { expect, test } from 'vitest'
import { isPersonal, maskPii, maskText } from '../../../services/core/event/mask-pii.ts'

test.each([
  ['write to ann.o+x@mail.example.co.uk, please', 'write to ***, please'],
  ['https://shop.example.com/?e=ann%40example.com&x=1', 'https://shop.example.com/?e=***&x=1'],
  ['call +49 170 123 4567 now', 'call *** now'],
  ['+4917012345678', '***'],
  ['4111 1111 1111 1111', '***'],
  ['4111111111111111', '***'],
  ['from 203.0.113.9', 'from ***'],
  ['müller@exämple.de', '***'],
])('of %j only what is personal is masked', (text, masked) => {
  expect(maskText(text)).toBe(masked)
})

test.each([
  '2026-11-22',
  '2026-11-22T10:00:00.000Z',
  'v1.2.3',
  'order 12345',
  '19.99',
  'a@b',
  'page_view',
  '1 000 000.',
])('%j is left as it is', (text) => {
  expect(maskText(text)).toBe(text)
})

test('names are compared without case and signs', () => {
  for (const name of ['$ip', 'E-Mail', 'first_name', 'firstName', 'billing address'])
    expect(isPersonal(name)).toBe(true)
  for (const name of ['plan', 'amount', 'product_name', 'email_opened']) expect(isPersonal(name)).toBe(false)
})

test('values within values are masked, and the value itself is not changed', () => {
  const value = {
    email: 'x',
    n: 5,
    list: [{ phone: 123 }, 'a@b.de'],
    $set: { Name: 'Ann' },
    none: null,
    ip: null,
    __proto__x: 1,
  }
  const before = structuredClone(value)
  expect(maskPii(value)).toEqual({
    email: '***',
    n: 5,
    list: [{ phone: '***' }, '***'],
    $set: { Name: '***' },
    none: null,
    ip: null,
    __proto__x: 1,
  })
  expect(value).toEqual(before)
})

test('no text takes long', () => {
  for (const text of [
    'a'.repeat(50_000),
    `${'1 '.repeat(25_000)}x`,
    `${'a.'.repeat(25_000)}@`,
    '1.'.repeat(25_000),
    `${'a@'.repeat(25_000)}`,
    `${'12 34 '.repeat(8_000)}!`,
  ]) {
    const startedMs = performance.now()
    maskText(text)
    expect(performance.now() - startedMs).toBeLessThan(1_000)
  }
})
