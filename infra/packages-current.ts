import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Lockfile } from './complete-lockfile.ts'

/**
 * Whether node_modules holds what the lockfile asks for, going by the record npm leaves behind when an installation
 * is complete. Optional packages may be absent (another platform's builds), but not in another version.
 */
export function packagesCurrent(wanted: Lockfile, installed: Lockfile): boolean {
  const paths = Object.keys(wanted.packages).filter((path) => path !== '')
  const left = Object.keys(installed.packages).some((path) => !(path in wanted.packages))
  return (
    !left &&
    paths.every((path) => {
      const want = wanted.packages[path]
      const have = installed.packages[path]
      if (!have) return want?.optional === true || want?.devOptional === true
      return have.version === want?.version && have.integrity === (want?.integrity ?? have.integrity)
    })
  )
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..')
  const read = (file: string): Lockfile => JSON.parse(readFileSync(join(root, file), 'utf8'))
  try {
    process.exitCode = packagesCurrent(read('package-lock.json'), read('node_modules/.package-lock.json'))
      ? 0
      : 1
  } catch {
    process.exitCode = 1 // Never installed, or interrupted.
  }
}
