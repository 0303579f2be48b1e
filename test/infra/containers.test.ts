import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { STAGE_NAMES } from '../../services/cli/stages.ts'

const infra = join(import.meta.dirname, '../../infra')
const root = join(infra, '..')

interface Service {
  readonly image?: string
  readonly build?: unknown
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, unknown>>
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean }
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly read_only?: boolean
}

const text = readFileSync(join(infra, 'docker-compose.yml'), 'utf8')
const compose: {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
} = parse(text, { merge: true })
const services = Object.entries(compose.services)

/** Every variable that some part of the code declares as a setting. */
const declared = new Set(
  globSync('services/**/*.ts', { cwd: root }).flatMap(
    (file) => readFileSync(join(root, file), 'utf8').match(/\b(MILLRACE|AWS)_[A-Z0-9_]+/g) ?? [],
  ),
)

describe('docker-compose.yml', () => {
  test.each(services)('%s has an image of a pinned version', (_, service) => {
    expect(service.image).toMatch(/^[a-z0-9./-]+:\d+\.\d+(\.\d+)?$/)
  })

  test.each(services)('%s is asked for its health, or ends by itself', (name, { healthcheck }) => {
    if (name === 'apply') expect(healthcheck).toEqual({ disable: true })
    else expect(healthcheck?.test?.[0]).toMatch(/^CMD(-SHELL)?$/)
  })

  test('every stage runs once, read-only, after the configuration was applied', () => {
    const stages = services.filter(([, { command }]) => command?.[0] === 'run')
    expect(stages.map(([, { command }]) => command?.[1])).toEqual(STAGE_NAMES)
    for (const [name, service] of stages) {
      expect([name, service]).toEqual([
        name,
        expect.objectContaining({ read_only: true, build: expect.anything() }),
      ])
      expect(service.depends_on).toEqual({ apply: { condition: 'service_completed_successfully' } })
    }
  })

  test('every engine is healthy before the configuration is applied', () => {
    const engines = services.filter(([, { build }]) => build === undefined).map(([name]) => name)
    expect(engines).toEqual(['kafka', 'clickhouse', 's3'])
    const healthy = { condition: 'service_healthy' }
    expect(compose.services.apply?.depends_on).toEqual(
      Object.fromEntries(engines.map((name) => [name, healthy])),
    )
  })

  test('ports are published on this machine only', () => {
    for (const [, { ports }] of services)
      for (const port of ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test('volumes are declared and mounted files are there', () => {
    for (const [, { volumes }] of services) {
      for (const mount of volumes ?? []) {
        const source = mount.split(':')[0] as string
        if (source.startsWith('.')) expect(existsSync(join(infra, source))).toBe(true)
        else expect(Object.keys(compose.volumes)).toContain(source)
      }
    }
  })

  test('it sets only variables that some stage reads', () => {
    for (const [, { build, environment }] of services) {
      const variables = build === undefined ? [] : Object.keys(environment ?? {})
      for (const variable of variables) expect(declared).toContain(variable)
    }
  })
})

describe('Dockerfile', () => {
  const lines = readFileSync(join(infra, 'Dockerfile'), 'utf8')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
  const instructions = lines.map((line) => {
    const [, instruction, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) as unknown as [string, string, string]
    return { instruction, rest }
  })
  const all = (name: string) =>
    instructions.filter(({ instruction }) => instruction === name).map(({ rest }) => rest)

  test('its base is the Node that set-up installs, pinned', () => {
    const pinned = /^NODE_VERSION=(\S+)$/m.exec(readFileSync(join(infra, 'setup.sh'), 'utf8'))?.[1]
    expect(all('ARG')).toEqual([`NODE_IMAGE=node:${pinned}-bookworm-slim`])
    for (const base of all('FROM')) expect(base).toMatch(/^\$\{NODE_IMAGE\}( AS \w+)?$/)
  })

  test('it does not run as root, and nothing is installed after it stopped being root', () => {
    expect(all('USER')).toEqual(['node'])
    const user = instructions.findIndex(({ instruction }) => instruction === 'USER')
    expect(instructions.slice(user).map(({ instruction }) => instruction)).not.toContain('RUN')
  })

  test('signals reach the stage: entry point and command are lists, not shell lines', () => {
    for (const line of [...all('ENTRYPOINT'), ...all('CMD')])
      expect(Array.isArray(JSON.parse(line))).toBe(true)
    expect(all('HEALTHCHECK')).toHaveLength(1)
  })

  test('what it copies is there, is sent to the builder, and is all that the code imports', () => {
    const copied = all('COPY')
      .filter((line) => !line.startsWith('--from'))
      .flatMap((line) => line.split(/\s+/).slice(0, -1))
    for (const path of copied) expect(existsSync(join(root, path))).toBe(true)
    const sent = readFileSync(join(infra, 'Dockerfile.dockerignore'), 'utf8').match(/(?<=^!).+$/gm)
    expect(new Set(sent)).toEqual(new Set(copied))
    const imported = globSync('services/**/*.ts', { cwd: root }).flatMap((file) =>
      [
        ...readFileSync(join(root, file), 'utf8').matchAll(
          /from '(?:\.\.\/)+((?:infra|schemas|test)\/[^']+)'/g,
        ),
      ].map(([, target]) => target as string),
    )
    for (const target of imported) {
      expect(copied.some((path) => target.startsWith(`${path}/`)) || target).toBe(true)
    }
  })

  test('it sets only variables that something reads', () => {
    const variables =
      all('ENV')
        .join(' ')
        .match(/MILLRACE_[A-Z0-9_]+/g) ?? []
    for (const variable of variables) expect(declared).toContain(variable)
  })
})
