import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where things are kept that every checkout on this machine can share. */
export function cacheDir(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'millrace')
}

/**
 * Kafka's command line tools (`kafka-tools`) come apart from the broker: an independent reader of topics. PostgreSQL
 * and Redis are programs that travel in a jar; only tests need them.
 */
export const JAR_ENGINES = ['kafka', 'kafka-tools', 's3proxy', 'postgres', 'redis'] as const
export type JarEngine = (typeof JAR_ENGINES)[number]

/** Jars that are opened, because what is needed is in them. */
const UNPACKED: readonly JarEngine[] = ['postgres', 'redis']

/** This machine in the words of the artifacts that are built for one. */
const PLATFORM = `${process.platform}-${process.arch === 'arm64' ? 'arm64v8' : 'amd64'}`

/** Where the jars of `<engine>/pom.xml` are kept, by the pom's hash. */
function jarsDir(engine: JarEngine): string {
  const hash = createHash('sha256')
    .update(readFileSync(pomOf(engine)))
    .digest('hex')
    .slice(0, 16)
  const own = UNPACKED.includes(engine) ? `-${PLATFORM}` : ''
  return join(cacheDir(), 'jars', `${engine}-${hash}${own}`)
}

function pomOf(engine: JarEngine): string {
  return join(import.meta.dirname, engine, 'pom.xml')
}

/** Whether the jars are there, so that neither Maven nor a network is needed. */
export function jarsFetched(engine: JarEngine): boolean {
  const dir = jarsDir(engine)
  return existsSync(dir) && readdirSync(dir).length > 0
}

/**
 * The jars that `<engine>/pom.xml` names, fetched through Maven once and kept by the pom's hash.
 *
 * @returns the directory that holds them, or what was in them
 * @throws Error naming what to install when Maven is missing, or Maven's own words
 */
export function fetchJars(engine: JarEngine): string {
  const pom = pomOf(engine)
  const dir = jarsDir(engine)
  if (jarsFetched(engine)) return dir
  const unfinished = `${dir}.${process.pid}`
  mkdirSync(unfinished, { recursive: true })
  const run = spawnSync(
    'mvn',
    [
      '-B',
      '-q',
      '-f',
      pom,
      UNPACKED.includes(engine) ? 'dependency:unpack-dependencies' : 'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-Dplatform=${PLATFORM}`,
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
  unpackArchives(unfinished)
  try {
    renameSync(unfinished, dir)
  } catch {
    rmSync(unfinished, { recursive: true, force: true }) // Another process was faster.
  }
  return dir
}

/** Opens the archives that a jar holds, in place. @throws Error naming what to install where tar has no xz */
function unpackArchives(dir: string): void {
  for (const name of readdirSync(dir).filter((file) => file.endsWith('.txz'))) {
    const run = spawnSync('tar', ['-xf', name], { cwd: dir, encoding: 'utf8' })
    if (run.status !== 0) {
      rmSync(dir, { recursive: true, force: true })
      throw new Error(`tar could not unpack ${name}. Debian: apt-get install xz-utils.\n${run.stderr ?? ''}`)
    }
    rmSync(join(dir, name))
  }
}

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    process.exitCode = JAR_ENGINES.every(jarsFetched) ? 0 : 1
  } else {
    try {
      for (const engine of JAR_ENGINES) fetchJars(engine)
    } catch (error) {
      process.stderr.write(`${(error as Error).message}\n`)
      process.exitCode = 1
    }
  }
}
