import { createHash, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  ACCESS_KEY_PATTERN,
  accessKeyHash,
  generateAccessKey,
  parseAccessKey,
} from '../../../services/core/control/access-key.ts'

test('a known key has the checksum that another CRC-32 (zlib of Python) gives it', () => {
  const key = generateAccessKey('write', (size) => new Uint8Array(size))
  expect(key).toBe('mr_w_0000000000000000000000000000002Wey6g')
  expect(parseAccessKey(key)).toEqual({
    kind: 'write',
    hash: createHash('sha256').update(key).digest('hex'),
  })
})

test('a key with any one character changed is refused without a look-up', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('write', 'read'),
      fc.nat(40),
      fc.string({ unit: 'binary', maxLength: 1 }),
      (scope, at, other) => {
        const key = generateAccessKey(scope, randomBytes)
        const changed = key.slice(0, at) + other + key.slice(at + 1)
        fc.pre(changed !== key)
        expect(parseAccessKey(changed)).toBeNull()
      },
    ),
  )
})

test('what cannot be a key is refused: empty, long, NUL, full-width, padded, wrong scope', () => {
  const key = generateAccessKey('read', randomBytes)
  const wrong = [
    '',
    ' ',
    key.slice(0, -1),
    `${key}0`,
    `${key}\n`,
    ` ${key}`,
    key.toUpperCase(),
    key.replace('mr_r_', 'mr_w_'),
    key.replace('mr_r_', 'mr_x_'),
    `${key.slice(0, 20)}\0${key.slice(21)}`,
    `ｍ${key.slice(1)}`,
    'x'.repeat(1_000_000),
  ]
  expect(wrong.filter((text) => parseAccessKey(text) !== null)).toEqual([])
})

test('every generated key parses back to its kind and to the hash that is stored', () => {
  fc.assert(
    fc.property(fc.constantFrom('write', 'read', 'personal', 'admin'), (kind) => {
      const key = generateAccessKey(kind, randomBytes)
      expect(key).toMatch(ACCESS_KEY_PATTERN)
      expect(parseAccessKey(key)).toEqual({ kind, hash: accessKeyHash(key) })
    }),
  )
})

test('bytes that would favour some characters are passed over', () => {
  let calls = 0
  const source = (size: number) => {
    calls += 1
    return new Uint8Array(size).fill(calls === 1 ? 255 : 61)
  }
  expect(generateAccessKey('write', source).slice(5, 35)).toBe('z'.repeat(30))
  expect(calls).toBe(2)
})
