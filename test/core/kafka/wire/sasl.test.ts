import { expect, test } from 'vitest'
import { saslExchange } from '../../../../services/core/kafka/wire/sasl.ts'

/** The conversation of RFC 7677, section 3. */
const RFC_7677 = {
  nonce: 'rOprNGfwEbeRWgbNEkqO',
  first: 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
  challenge: 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
  final:
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
  verifier: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
}
const exchange = () => saslExchange('SCRAM-SHA-256', 'user', 'pencil', RFC_7677.nonce)
const challenged = () => {
  const started = exchange()
  started.next(Buffer.from(RFC_7677.challenge))
  return started
}

test('SCRAM says what the RFC’s example says', () => {
  const own = exchange()
  expect(own.first.toString()).toBe(RFC_7677.first)
  expect(own.next(Buffer.from(RFC_7677.challenge))?.toString()).toBe(RFC_7677.final)
  expect(own.next(Buffer.from(RFC_7677.verifier))).toBeNull()
})

test('a broker that cannot prove that it knows the password is not signed in to', () => {
  for (const verifier of ['v=AAAA', '', 'e=other-error', RFC_7677.verifier.replace('6', '7')])
    expect(() => challenged().next(Buffer.from(verifier))).toThrow('did not prove')
})

test('a challenge that weakens the exchange is refused', () => {
  for (const [from, to] of [
    ['i=4096', 'i=1'],
    ['i=4096', 'i=99999999'],
    ['i=4096', 'i='],
    ['s=W22ZaJ0SNY7soEsUEjb6gQ==', 's='],
    ['r=rOprNGfwEbeRWgbNEkqO', 'r=another'],
    ['%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0', ''],
  ] as const)
    expect(() => exchange().next(Buffer.from(RFC_7677.challenge.replace(from, to)))).toThrow()
})

test('signs that mean something in a message are escaped in a user’s name', () => {
  expect(saslExchange('SCRAM-SHA-512', 'a=b,c', 'x', 'n').first.toString()).toBe('n,,n=a=3Db=2Cc,r=n')
})

test('PLAIN is one message', () => {
  const own = saslExchange('PLAIN', 'mill', 'race')
  expect(own.first.toString()).toBe('\0mill\0race')
  expect(own.next(Buffer.alloc(0))).toBeNull()
})
