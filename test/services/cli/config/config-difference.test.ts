import { expect, test } from 'vitest'
import type { Dataset } from '../../../../schemas/control/v1.ts'
import { configDifference, showDifference } from '../../../../services/cli/config/config-difference.ts'
import { type AnyControlRecord, controlRecord } from '../../../../services/core/control/control-state.ts'

const dataset = (object: Dataset, managedBy: 'config' | 'api' = 'config'): AnyControlRecord =>
  controlRecord('dataset', object, managedBy)

test('what the API manages is neither changed nor removed', () => {
  const inForce = [
    dataset({ id: 'shop', account: 'acme' }, 'api'),
    dataset({ id: 'blog', account: 'acme' }, 'api'),
  ]
  const difference = configDifference(inForce, [dataset({ id: 'shop', account: 'other' })])
  expect(difference.changes).toEqual([])
  expect(difference.conflicts).toEqual([
    'The dataset "shop" is managed through the API. Remove it from the file, or delete it through the API first.',
  ])
})

test('what the file does not have any more is removed, what is equal stays', () => {
  const inForce = [
    dataset({ id: 'shop', account: 'acme', name: 'Old' }),
    dataset({ id: 'blog', account: 'acme' }),
    dataset({ id: 'gone', account: 'acme' }),
    controlRecord('key', { id: 'gone', dataset: 'gone', scope: 'read', sha256: 'a'.repeat(64) }, 'config'),
  ]
  const difference = configDifference(inForce, [
    controlRecord('key', { id: 'new', dataset: 'shop', scope: 'write', sha256: 'b'.repeat(64) }, 'config'),
    dataset({ account: 'acme', id: 'blog' }),
    dataset({ id: 'shop', account: 'acme', name: 'x'.repeat(100), unknown_events: 'flag' }),
  ])
  expect(difference.unchanged).toBe(1)
  expect(showDifference(difference)).toBe(
    `~ dataset shop
    name: "Old" → "${'x'.repeat(78)}…
    unknown_events: (not set) → "flag"
- dataset gone
+ key new
- key gone`,
  )
})
