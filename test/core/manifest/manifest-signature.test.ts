import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Manifest } from '../../../schemas/manifest/v1.ts'
import {
  hasValidSignature,
  keyIdOf,
  signContent,
  signingKey,
} from '../../../services/core/manifest/manifest-signature.ts'
import { readManifest } from '../../../services/core/manifest/read-manifest.ts'
import { openSigningKey } from '../../../services/core/manifest/signing-key-file.ts'

const key = signingKey(generateKeyPairSync('ed25519').privateKey)
const publicKey = createPublicKey(key.publicPem)
const content: Omit<Manifest, 'signature'> = {
  v: 1,
  delivery: 'warehouse',
  config: 'c',
  bucket: 'lake',
  format: 'jsonl',
  schema: 'enriched-event/1',
  recipes: ['r'],
  source: {
    topic: 'events.enriched',
    topic_id: '',
    partition: 0,
    start: 0,
    end: 9,
    digest: 'd'.repeat(64),
    src: 8,
    landed_before: 0,
    landed: 5,
  },
  control_offset: 3,
  receipt: { read: 10, delivered: 0, filtered: 10, rejected: 0, control: 0 },
  objects: [],
  rejected_object: null,
  entries: [],
  previous: null,
}

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'signing-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

test('whatever is changed in a manifest, or signed by another key, its signature does not hold', () => {
  const manifest = readManifest(signContent(content, key)) as Manifest
  expect(hasValidSignature(manifest, publicKey)).toBe(true)
  for (const changed of [
    { ...manifest, receipt: { ...manifest.receipt, delivered: 1 } },
    { ...manifest, source: { ...manifest.source, end: 10 } },
    { ...manifest, recipes: [] },
    { ...manifest, added: true },
    { ...manifest, signature: { ...manifest.signature, value: '' } },
  ])
    expect(hasValidSignature(changed as Manifest, publicKey)).toBe(false)
  const other = signingKey(generateKeyPairSync('ed25519').privateKey)
  expect(hasValidSignature(manifest, createPublicKey(other.publicPem))).toBe(false)
  expect(keyIdOf(publicKey)).toBe(manifest.signature.key_id)
})

test('the same content has the same bytes, in whatever order its members are', () => {
  const turned = Object.fromEntries(Object.entries(content).reverse()) as typeof content
  expect(signContent(turned, key).equals(signContent(content, key))).toBe(true)
})

test('what is no manifest is told why', () => {
  const wrong = { ...JSON.parse(signContent(content, key).toString()), control_offset: -1 }
  expect(readManifest(Buffer.from('{'))).toBe('It is not JSON.')
  expect(readManifest(Buffer.from(JSON.stringify(wrong)))).toMatch(/^Its \/control_offset is wrong/)
})

test('a key is made once, readable by its owner only, and found again', () => {
  const dir = join(directory(), 'state')
  const first = openSigningKey(null, dir)
  const second = openSigningKey(null, dir)
  expect([first.made, second.made]).toEqual([true, false])
  expect(second.key.keyId).toBe(first.key.keyId)
  expect(statSync(first.file).mode & 0o777).toBe(0o600)
  expect(readdirSync(dir)).toEqual(['signing-key.pem'])
  expect(openSigningKey(first.file, '/nowhere').key.keyId).toBe(first.key.keyId)
})

test('a file that holds no key, or one of another kind, is named', () => {
  const dir = directory()
  const file = join(dir, 'key.pem')
  writeFileSync(file, 'nonsense')
  expect(() => openSigningKey(file, dir)).toThrow(`The signing key ${file} cannot be read.`)
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  writeFileSync(file, rsa.export({ type: 'pkcs8', format: 'pem' }))
  expect(() => openSigningKey(file, dir)).toThrow('is of type rsa, it must be ed25519')
})
