import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where things are kept that every checkout on this machine can share: jars and native builds. */
export function cacheDir(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'millrace')
}

/**
 * The jars that `<engine>/pom.xml` names, fetched through Maven once and kept by the pom's hash.
 *
 * @returns the directory that holds them
 * @throws Error naming what to install when Maven is missing, or Maven's own words
 */
export function fetchJars(engine: 'kafka' | 'kafka-tools' | 's3proxy'): string {
  const pom = join(import.meta.dirname, engine, 'pom.xml')
  const hash = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 16)
  const dir = join(cacheDir(), 'jars', `${engine}-${hash}`)
  if (existsSync(dir) && readdirSync(dir).length > 0) return dir
  const unfinished = `${dir}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  const run = spawnSync(
    'mvn',
    [
      '-B',
      '-q',
      '-f',
      pom,
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${unfinished}`,
    ],
    { encoding: 'utf8' },
  )
  if (run.error || run.status !== 0) {
    rmSync(unfinished, { recursive: true, force: true })
    if (run.error)
      throw new Error(
        'Maven is needed to fetch the engines. Debian: apt-get install maven. macOS: brew install maven.',
      )
    throw new Error(`Maven could not fetch the jars of ${engine}:\n${run.stdout}${run.stderr}`)
  }
  try {
    renameSync(unfinished, dir)
  } catch {
    rmSync(unfinished, { recursive: true, force: true }) // Another process was faster.
  }
  return dir
}
