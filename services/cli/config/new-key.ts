import { accessKeyHash, type KeyScope } from '../../core/control/access-key.ts'

/** What `millrace key new` prints: the key, and its entry for `millrace.yaml`. */
export function newKeyText(
  key: string,
  asked: { readonly dataset: string; readonly scope: KeyScope; readonly id: string | null },
): string {
  const hash = accessKeyHash(key)
  const id = asked.id ?? `${asked.dataset}-${asked.scope}-${hash.slice(0, 4)}`
  return `${key}

Keep it now: it is not stored anywhere and cannot be shown again. Under "keys" in millrace.yaml, then "millrace apply":

  - id: ${id}
    dataset: ${asked.dataset}
    scope: ${asked.scope}
    sha256: ${hash}
`
}

/** What `millrace key admin` prints: the key, and the setting that lets it in. */
export function adminKeyText(key: string): string {
  return `${key}

Keep it now: it is not stored anywhere and cannot be shown again. It makes personal API keys and reads no data. In the
environment of every query API:

  MILLRACE_ADMIN_KEY_SHA256=${accessKeyHash(key)}
`
}
