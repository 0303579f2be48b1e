import { globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect, test } from 'vitest'
import { STAGE_NAMES } from '../services/cli/stages.ts'

const root = join(import.meta.dirname, '..')

interface Import {
  readonly file: string
  /** Path from the root for our own files, else the package name. */
  readonly target: string
}

const imports: readonly Import[] = globSync('services/**/*.ts', { cwd: root }).flatMap((file) =>
  importsOf(file, readFileSync(join(root, file), 'utf8')),
)

function importsOf(file: string, source: string): Import[] {
  const found = source.matchAll(
    /^(?:import|export)\s[^'"]*?from\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/gm,
  )
  return [...found].map((match) => {
    const specifier = (match[1] ?? match[2] ?? match[3]) as string
    const target = specifier.startsWith('.')
      ? relative(root, join(root, dirname(file), specifier))
      : specifier
    return { file, target }
  })
}

const stageOf = (path: string) => /^services\/([^/]+)\//.exec(path)?.[1] ?? null

test('a stage never imports a stage, and core imports no stage', () => {
  const wrong = imports.filter(({ file, target }) => {
    const [from, to] = [stageOf(file), stageOf(target)]
    // The command line is how stages are started, so it alone may name their mains.
    if (from === 'cli') return to !== null && to !== 'cli' && to !== 'core' && !target.endsWith('/main.ts')
    return to !== null && to !== from && to !== 'core'
  })
  expect(wrong).toEqual([])
})

test('services import nothing from infra or test', () => {
  const wrong = imports.filter(
    ({ file, target }) => /^(infra|test)\//.test(target) && stageOf(file) !== 'cli',
  )
  expect(wrong).toEqual([])
})

/** Client libraries, each with the adapter files that may import it. The demo counts with readers of its own. */
const CLIENT_LIBRARIES: Readonly<Record<string, RegExp>> = {
  '@platformatic/wasm-utils':
    /^services\/core\/kafka\/wire\/(compression|record-batch)\.ts$|^services\/collector\/store\/crc32c\.ts$/,
  '@aws-sdk/client-s3': /^services\/core\/object-store\/s3-|^services\/cli\/demo\/delivery-reader\.ts$/,
  '@clickhouse/client': /^services\/core\/clickhouse\/http-/,
  '@duckdb/node-api': /duckdb[^/]*\.ts$/,
  maxmind: /^services\/enricher\/.*geo[^/]*\.ts$/,
  fastify: /(server|plugin|routes?)[^/]*\.ts$|\/routes\//,
  'prom-client': /^services\/core\/runtime\/metrics\.ts$/,
  'node:sqlite': /^services\/core\/metadata\/sqlite-/,
  pg: /^services\/core\/metadata\/postgres-|^services\/query-api\/batch-exports\/postgres-/,
  // Questions to the metadata database are written in it: those of a family of routes are its store.
  kysely: /^services\/core\/metadata\/|^services\/query-api\/.*-store\.ts$|^services\/identity\/store\/sql-/,
  '@redis/client': /^services\/query-api\/http\/redis-/,
  pino: /^services\/core\/runtime\/logger\.ts$/,
}

test('client libraries are imported by their adapter files only', () => {
  const wrong = imports.filter(({ file, target }) => {
    const allowed = Object.entries(CLIENT_LIBRARIES).find(
      ([library]) => target === library || target.startsWith(`${library}/`),
    )
    return allowed !== undefined && !allowed[1].test(file)
  })
  expect(wrong).toEqual([])
})

test('a stage’s environment is seen by its main, environment and pipeline only', () => {
  const wrong = imports.filter(
    ({ file, target }) =>
      /\/environment\.ts$/.test(target) && !/\/(main|environment|pipeline|server)\.ts$/.test(file),
  )
  expect(wrong).toEqual([])
})

test('process.env is read where settings are parsed and nowhere else', () => {
  const wrong = globSync('services/**/*.ts', { cwd: root }).filter(
    (file) =>
      /process\.env/.test(readFileSync(join(root, file), 'utf8')) &&
      !/(\/main|\/config)\.ts$|^services\/core\/runtime\/stage\.ts$|^services\/cli\//.test(file),
  )
  expect(wrong).toEqual([])
})

test('no file hides things behind a catch-all name', () => {
  expect(
    globSync('{services,infra,schemas,test}/**/{util,utils,helper,helpers,types,common,misc}.ts', {
      cwd: root,
    }),
  ).toEqual([])
})

test('every stage opens with the same files', () => {
  const stages = [
    ...new Set(globSync('services/*/main.ts', { cwd: root }).map((file) => stageOf(file))),
  ].filter((stage) => stage !== 'cli' && stage !== 'core')
  const missing = stages.flatMap((stage) =>
    ['main.ts', 'config.ts', 'environment.ts', 'pipeline.ts']
      .map((name) => `services/${stage}/${name}`)
      .filter((file) => globSync(file, { cwd: root }).length === 0),
  )
  expect(missing).toEqual([])
})

test('the simulation runs each stage by its own pipeline, and the tests have no second one', () => {
  const taken = globSync('test/simulation/*.ts', { cwd: root }).flatMap((file) =>
    importsOf(file, readFileSync(join(root, file), 'utf8')).map(({ target }) => target),
  )
  // All that deliver.
  const stages = STAGE_NAMES.filter((name) => name !== 'query-api')
  expect(stages.filter((stage) => !taken.includes(`services/${stage}/pipeline.ts`))).toEqual([])
  expect(globSync('test/**/pipeline.ts', { cwd: root })).toEqual([])
})
