import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type SigningKey, signingKey } from './manifest-signature.ts'

/**
 * The key that manifests are signed with: from the file that the settings name, else one that is made once and kept
 * in the state directory. Processes that share deliveries should share the key.
 *
 * @returns `made` when the key was generated just now, for a warning
 * @throws Error naming the file when it cannot be read or holds no Ed25519 private key
 */
export function openSigningKey(
  file: string | null,
  stateDir: string,
): { readonly key: SigningKey; readonly file: string; readonly made: boolean } {
  if (file !== null) return { key: readKey(file), file, made: false }
  const kept = join(stateDir, 'signing-key.pem')
  if (existsSync(kept)) return { key: readKey(kept), file: kept, made: false }
  const { privateKey } = generateKeyPairSync('ed25519')
  mkdirSync(stateDir, { recursive: true })
  const written = `${kept}.${process.pid}`
  writeFileSync(written, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  try {
    // Of several processes that start together one links its key, whole, and the others read that.
    linkSync(written, kept)
    return { key: signingKey(privateKey), file: kept, made: true }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    return { key: readKey(kept), file: kept, made: false }
  } finally {
    rmSync(written)
  }
}

function readKey(file: string): SigningKey {
  let key: ReturnType<typeof createPrivateKey>
  try {
    key = createPrivateKey(readFileSync(file))
  } catch (error) {
    throw new Error(
      `The signing key ${file} cannot be read. Make one with: openssl genpkey -algorithm ed25519 -out ${file}`,
      { cause: error },
    )
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new Error(`The signing key ${file} is of type ${key.asymmetricKeyType}, it must be ed25519.`)
  return signingKey(key)
}
