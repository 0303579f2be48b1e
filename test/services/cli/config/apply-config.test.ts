import { expect, test } from 'vitest'
import { type ApplyEnvironment, applyConfig } from '../../../../services/cli/config/apply-config.ts'
import { type AnyControlRecord, controlRecord } from '../../../../services/core/control/control-state.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'

const shop: AnyControlRecord = controlRecord('dataset', { id: 'shop', account: 'acme' }, 'config')

function recordingEnvironment(given: {
  inForce?: readonly AnyControlRecord[]
  confirmed?: boolean
  dryRun?: boolean
  publishFails?: DependencyError
}): ApplyEnvironment & { readonly effects: string[] } {
  const effects: string[] = []
  return {
    effects,
    print: (text) => effects.push(`print ${text}`),
    read: async () => {
      effects.push('read')
      return given.inForce ?? []
    },
    openPublisher: given.dryRun
      ? null
      : async () => {
          effects.push('open publisher')
          return {
            publish: async (changes) => {
              if (given.publishFails) throw given.publishFails
              effects.push(`publish ${changes.length}`)
            },
            close: async () => {
              effects.push('close publisher')
            },
          }
        },
    confirm: async (question) => {
      effects.push(`ask ${question}`)
      return given.confirmed ?? true
    },
  }
}

test('two who apply at once: the one that was overtaken publishes nothing and says so', async () => {
  const env = recordingEnvironment({ publishFails: new DependencyError('kafka', 'fenced', 'newer producer') })
  await expect(applyConfig([shop], env)).rejects.toThrow(
    'Somebody else applied a configuration at the same time. Run apply again.',
  )
  expect(env.effects.at(-1)).toBe('close publisher')
})

test('the publisher is opened before the state is read, so that nothing can slip in between', async () => {
  const env = recordingEnvironment({})
  expect(await applyConfig([shop], env)).toBe('applied')
  expect(env.effects).toEqual([
    'open publisher',
    'read',
    'print + dataset shop',
    'ask 1 change, 0 unchanged. Publish?',
    'publish 1',
    'print Published 1 change, 0 unchanged. Stages follow within seconds, without a restart.',
    'close publisher',
  ])
})

test('a dry run shows and neither asks nor publishes', async () => {
  const env = recordingEnvironment({ dryRun: true })
  expect(await applyConfig([shop], env)).toBe('shown')
  expect(env.effects).toEqual([
    'read',
    'print + dataset shop',
    'print 1 change, 0 unchanged. Nothing was published.',
  ])
})

test('an answer of no publishes nothing', async () => {
  const env = recordingEnvironment({ confirmed: false })
  expect(await applyConfig([shop], env)).toBe('declined')
  expect(env.effects.some((effect) => effect.startsWith('publish'))).toBe(false)
})

test('a conflict with the API publishes nothing', async () => {
  const inForce: AnyControlRecord[] = [controlRecord('dataset', { id: 'shop', account: 'x' }, 'api')]
  const env = recordingEnvironment({ inForce })
  expect(await applyConfig([shop], env)).toBe('conflict')
  expect(env.effects.some((effect) => /^(ask|publish)/.test(effect))).toBe(false)
})

test('nothing to change asks nobody', async () => {
  const env = recordingEnvironment({ inForce: [shop] })
  expect(await applyConfig([shop], env)).toBe('unchanged')
  expect(env.effects).toContain('print Nothing to change: all 1 objects are in force.')
})
