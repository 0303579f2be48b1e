import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'

/** One exchange of sign-in messages: what to send first, then an answer to each message of the broker. */
export interface SaslExchange {
  readonly first: Buffer
  /** @returns what to send next; null when the broker has proved itself and nothing is left to say */
  next(challenge: Buffer): Buffer | null
}

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'

/** A broker that asks for fewer rounds would learn a password by guessing faster (RFC 7677 names 4096). */
const ITERATIONS_MIN = 4_096
/** A broker that asks for more would hold the process up. */
const ITERATIONS_MAX = 1_000_000

/** @param nonce text without commas; random when left out */
export function saslExchange(
  mechanism: SaslMechanism,
  user: string,
  password: string,
  nonce = randomBytes(24).toString('base64'),
): SaslExchange {
  if (mechanism === 'PLAIN') return { first: Buffer.from(`\0${user}\0${password}`), next: () => null }
  return scramExchange(mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512', user, password, nonce)
}

/**
 * SCRAM without channel binding (RFC 5802, RFC 7677).
 *
 * @throws Error from `next` when the broker's message is not SCRAM's, weakens it, or does not prove that the broker
 *   knows the password
 */
function scramExchange(
  hash: 'sha256' | 'sha512',
  user: string,
  password: string,
  nonce: string,
): SaslExchange {
  const hmac = (key: Buffer, text: string) => createHmac(hash, key).update(text).digest()
  const firstBare = `n=${user.replaceAll('=', '=3D').replaceAll(',', '=2C')},r=${nonce}`
  let serverSignature: Buffer | null = null

  function clientFinal(challenge: string): Buffer {
    const fields = fieldsOf(challenge)
    const iterations = Number(fields.get('i'))
    const salt = Buffer.from(fields.get('s') ?? '', 'base64')
    const bothNonces = fields.get('r') ?? ''
    if (!bothNonces.startsWith(nonce) || bothNonces.length === nonce.length || salt.length === 0)
      throw new Error('the broker’s first SCRAM message does not answer ours')
    if (!(iterations >= ITERATIONS_MIN && iterations <= ITERATIONS_MAX))
      throw new Error(`the broker asks for ${fields.get('i')} SCRAM iterations`)
    const size = hash === 'sha256' ? 32 : 64
    const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, size, hash)
    const clientKey = hmac(salted, 'Client Key')
    const storedKey = createHash(hash).update(clientKey).digest()
    const withoutProof = `c=${Buffer.from(GS2_HEADER).toString('base64')},r=${bothNonces}`
    const signed = `${firstBare},${challenge},${withoutProof}`
    const signature = hmac(storedKey, signed)
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number)))
    serverSignature = hmac(hmac(salted, 'Server Key'), signed)
    return Buffer.from(`${withoutProof},p=${proof.toString('base64')}`)
  }

  return {
    first: Buffer.from(`${GS2_HEADER}${firstBare}`),
    next(challenge) {
      const text = challenge.toString('utf8')
      if (serverSignature === null) return clientFinal(text)
      const verifier = Buffer.from(fieldsOf(text).get('v') ?? '', 'base64')
      if (verifier.length !== serverSignature.length || !timingSafeEqual(verifier, serverSignature))
        throw new Error('the broker did not prove that it knows the password')
      return null
    },
  }
}

/** No channel binding, no other identity. */
const GS2_HEADER = 'n,,'

function fieldsOf(message: string): Map<string, string> {
  return new Map(message.split(',').map((field) => [field.slice(0, 1), field.slice(2)]))
}
