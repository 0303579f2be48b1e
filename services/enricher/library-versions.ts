import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * Versions of installed packages, for the recipe: another version of a parser may read the same text otherwise.
 *
 * @throws Error for a package that is not installed
 */
export function libraryVersions(names: readonly string[]): Readonly<Record<string, string>> {
  const require = createRequire(import.meta.url)
  return Object.fromEntries(names.map((name) => [name, versionAbove(name, dirname(require.resolve(name)))]))
}

/** Walks up from a package's entry to its manifest, since not every package exports it. */
function versionAbove(name: string, directory: string): string {
  for (let at = directory; at !== dirname(at); at = dirname(at)) {
    try {
      const manifest = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8')) as Record<string, unknown>
      if (manifest.name === name) return String(manifest.version)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  throw new Error(`${name} has no package.json above ${directory}.`)
}
