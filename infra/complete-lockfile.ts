import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** An entry of `packages` in package-lock.json, as far as it matters here. */
interface LockedPackage {
  readonly version?: string
  readonly dev?: boolean
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly [field: string]: unknown
}

export interface Lockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>
}

/**
 * Names every platform's build of a native package in the lockfile, also those that could not be looked up where
 * the lockfile was written. npm leaves such a build out, and `npm ci` then refuses the lockfile on every machine.
 *
 * What is added carries the exact version its parent asks for and the platform that its name states, but no
 * hash: npm skips it on other platforms and takes the registry's hash on its own.
 *
 * @returns the completed lockfile and the names added, each once
 */
export function completeLockfile(lock: Lockfile): { lock: Lockfile; added: readonly string[] } {
  const packages: Record<string, LockedPackage> = { ...lock.packages }
  const added: string[] = []
  for (const [parent, { dev, optionalDependencies }] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
      if (!/^\d+\.\d+\.\d+/.test(version) || isLocked(packages, parent, name)) continue
      // In npm's own order of fields, so that its next rewrite changes nothing.
      const { os, cpu, libc } = platformOf(name)
      packages[`node_modules/${name}`] = {
        version,
        ...(cpu && { cpu }),
        ...(dev && { dev }),
        ...(libc && { libc }),
        optional: true,
        ...(os && { os }),
      }
      added.push(name)
    }
  }
  const sorted = Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return { lock: { ...lock, packages: Object.fromEntries(sorted) }, added }
}

/** Node's own rule: the nearest node_modules upwards of the parent. */
function isLocked(packages: Lockfile['packages'], parent: string, name: string): boolean {
  for (let path = parent; ; path = path.slice(0, Math.max(0, path.lastIndexOf('node_modules/') - 1))) {
    if (packages[`${path === '' ? '' : `${path}/`}node_modules/${name}`]) return true
    if (path === '') return false
  }
}

function platformOf(name: string): { os?: string[]; cpu?: string[]; libc?: string[] } {
  const match = /[-/](android|darwin|freebsd|linux|win32)-(arm64|arm|x64)(?:-(gnu|musl))?/.exec(name)
  if (!match) return {}
  const [, os, cpu, libc] = match as unknown as [string, string, string, string | undefined]
  // A Linux build that does not say otherwise is linked against glibc.
  const c = os === 'linux' ? { libc: [libc === 'musl' ? 'musl' : 'glibc'] } : {}
  return { os: [os], cpu: [cpu], ...c }
}

if (import.meta.main) {
  const file = join(import.meta.dirname, '..', 'package-lock.json')
  const { lock, added } = completeLockfile(JSON.parse(readFileSync(file, 'utf8')))
  if (added.length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
  process.stdout.write(
    added.length === 0 ? 'The lockfile is complete.\n' : `Added to the lockfile: ${added.join(', ')}.\n`,
  )
}
