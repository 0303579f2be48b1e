import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { completeLockfile, type Lockfile } from '../../infra/complete-lockfile.ts'
import { packagesCurrent } from '../../infra/packages-current.ts'

const lock: Lockfile = JSON.parse(readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8'))

test('the lockfile names every platform’s build of every native package', () => {
  // If this is red after a change of dependencies: node infra/complete-lockfile.ts
  expect(completeLockfile(lock).added).toEqual([])
})

test('a build that is left out is added for its own platform only', () => {
  const packages = {
    'node_modules/tool': {
      version: '2.0.0',
      dev: true,
      optionalDependencies: { '@tool/darwin-arm64': '2.0.0' },
    },
    'node_modules/lib': { version: '1.0.0', optionalDependencies: { '@lib/bin-linux-x64-musl': '1.0.0' } },
    'node_modules/nested/node_modules/inner': {
      version: '1.0.0',
      optionalDependencies: { fsevents: '2.3.2' },
    },
    'node_modules/nested/node_modules/fsevents': { version: '2.3.2', os: ['darwin'] },
  }
  const { lock: completed, added } = completeLockfile({ packages })
  expect(added).toEqual(['@tool/darwin-arm64', '@lib/bin-linux-x64-musl'])
  expect(completed.packages['node_modules/@tool/darwin-arm64']).toEqual({
    version: '2.0.0',
    cpu: ['arm64'],
    dev: true,
    optional: true,
    os: ['darwin'],
  })
  expect(completed.packages['node_modules/@lib/bin-linux-x64-musl']).toEqual({
    version: '1.0.0',
    cpu: ['x64'],
    libc: ['musl'],
    optional: true,
    os: ['linux'],
  })
})

test('packages are current only when nothing is missing, left over or of another version', () => {
  const a = { version: '1.0.0', integrity: 'sha512-a' }
  const wanted = {
    packages: { '': {}, 'node_modules/a': a, 'node_modules/b': { version: '1.0.0', optional: true } },
  }
  expect(packagesCurrent(wanted, { packages: { 'node_modules/a': a } })).toBe(true)
  expect(packagesCurrent(wanted, { packages: {} })).toBe(false)
  expect(packagesCurrent(wanted, { packages: { 'node_modules/a': a, 'node_modules/c': a } })).toBe(false)
  expect(packagesCurrent(wanted, { packages: { 'node_modules/a': { ...a, version: '1.0.1' } } })).toBe(false)
  expect(packagesCurrent(wanted, { packages: { 'node_modules/a': { ...a, integrity: 'sha512-x' } } })).toBe(
    false,
  )
})
