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
  ['from 2001:db8::8a2e:370:7334.', 'from ***.'],
  ['http://[2001:db8::1]:8080/a', 'http://[***]:8080/a'],
  ['FE80::1', '***'],
  ['::ffff:203.0.113.9', '***'],
  ['?ip%3D2001%3Adb8%3A%3A1', '?ip%3D***'],
  ['/reset?user=5&reset_token=a1B2~c3&lang=de', '/reset?user=5&reset_token=***&lang=de'],
  ['https://a.example/#access_token=ya29.x-Y_z&state=1', 'https://a.example/#access_token=***&state=1'],
  [
    '/go?to=https%3A%2F%2Fa.example%2F%3Fapi_key%3Dk1%26page%3D2',
    '/go?to=https%3A%2F%2Fa.example%2F%3Fapi_key%3D***%26page%3D2',
  ],
  ['/s?first-name=Ann&q=shoes', '/s?first-name=***&q=shoes'],
  ['got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl back', 'got *** back'],
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
  'at 12:30:45',
  '2026-11-22T10:00:00+02:00',
  'std::vector<int>',
  'a::b',
  'ratio 16:9',
  'p::before { }',
  '::',
  '/list?page=2&sort=price&session_id=abc',
  'aa:bb:cc:dd:ee:ff:00:11:22:33:44:55:66:77:88:99',
  'token=5',
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
    ':'.repeat(50_000),
    'a:'.repeat(25_000),
    `${'1%3a'.repeat(12_000)}x`,
    `?a=${'%2'.repeat(25_000)}`,
    '?token='.repeat(7_000),
    '?a='.repeat(16_000),
    `eyJ${'a'.repeat(50_000)}`,
    'eyJ.'.repeat(12_000),
  ]) {
    const startedMs = performance.now()
    maskText(text)
    expect(performance.now() - startedMs).toBeLessThan(1_000)
  }
})

/** Texts with something personal in them, and texts like them without: the same in every run. */
function corpus(size: number) {
  let state = 1
  const below = (count: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * count)
  }
  const pick = <T>(from: readonly T[]): T => from[below(from.length)] as T
  const times = (count: number, make: () => string) => Array.from({ length: count }, make)
  const letters = (count: number) => times(count, () => pick([...'abcdefghijklmnopqrstuvwxyz'])).join('')
  const digits = (count: number) => times(count, () => String(below(10))).join('')
  const hex = (count: number) => times(count, () => pick([...'0123456789abcdef'])).join('')
  const group = () => (1 + below(0xfffe)).toString(16)
  const secret = () => times(20 + below(20), () => pick([...'aZ09_-.~'])).join('')
  const personal = [
    () => `${letters(3)}.${letters(5)}${digits(2)}@${letters(6)}.${pick(['com', 'de', 'co.uk'])}`,
    () => `203.${below(256)}.${below(256)}.${below(256)}`,
    () => `2001:db8:${times(6, group).join(':')}`,
    () => `2001:db8::${times(1 + below(4), group).join(':')}`,
    () => `[2a02:${group()}::${group()}]:443`,
    () => `2001:db8::${group()}`.toUpperCase(),
    () => `+49 ${digits(3)} ${digits(3)} ${digits(4)}`,
    () => `4${digits(3)} ${digits(4)} ${digits(4)} ${digits(4)}`,
    () =>
      `https://${letters(6)}.example/${letters(4)}?page=${below(9)}&${pick(['token', 'access_token', 'api_key', 'sig', 'password'])}=${secret()}`,
    () => `eyJ${hex(20)}.${hex(40)}.${hex(30)}`,
  ]
  const plain = [
    () => `${digits(2)}:${digits(2)}:${digits(2)}`,
    () => `2026-0${1 + below(9)}-1${below(10)}T0${below(10)}:3${below(10)}:00+02:00`,
    () => `#${hex(6)}`,
    () => hex(40),
    () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
    () => `v${below(9)}.${below(30)}.${below(99)}`,
    () => `${letters(5)}::${letters(6)}`,
    () => `/${letters(5)}/${below(9_999)}?page=${below(9)}&utm_source=${letters(6)}&variant=${letters(3)}`,
    () => `${below(9_999)}.${digits(2)} EUR`,
    () => `order ${digits(6)}`,
  ]
  const within = (make: () => string) => {
    const found = make()
    return { found, text: pick([found, `see ${found} now`, `(${found})`, `"${found}"`, `x=${found}, y`]) }
  }
  return {
    personal: Array.from({ length: size }, (_, at) => within(personal[at % personal.length]!)),
    plain: Array.from({ length: size }, (_, at) => within(plain[at % plain.length]!)),
  }
}

test('of a thousand texts with something personal 99 % and more lose it, and as many like them lose nothing', () => {
  const { personal, plain } = corpus(1_000)
  const missed = personal.filter(({ found, text }) => {
    const masked = maskText(text)
    const told = found.slice(found.lastIndexOf('=') + 1).replace(/^\[|\]:443$/g, '')
    return masked.includes(told) || !masked.includes('***')
  })
  expect(missed.length / personal.length, JSON.stringify(missed.slice(0, 5))).toBeLessThanOrEqual(0.01)
  const lost = plain.filter(({ text }) => maskText(text) !== text)
  expect(lost.length / plain.length, JSON.stringify(lost.slice(0, 5))).toBeLessThanOrEqual(0.01)
})
