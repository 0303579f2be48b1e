import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { readConfigFile } from '../../../../services/cli/config/config-file.ts'
import { newKeyText } from '../../../../services/cli/config/new-key.ts'
import { generateAccessKey, parseAccessKey } from '../../../../services/core/control/access-key.ts'

test('what is printed can be pasted under keys, and the key itself stands in it once, at the top', () => {
  const key = generateAccessKey('read', randomBytes)
  const printed = newKeyText(key, { dataset: 'shop', scope: 'read', id: null })
  expect(printed.split(key)).toHaveLength(2)
  expect(printed.startsWith(`${key}\n`)).toBe(true)
  const entry = printed.slice(printed.indexOf('  - id:'))
  const { records, faults } = readConfigFile(
    `version: 1\ndatasets:\n  - { id: shop, account: acme }\nkeys:\n${entry}`,
    () => '',
  )
  expect(faults).toEqual([])
  expect(records.find(({ kind }) => kind === 'key')?.object).toMatchObject({
    sha256: parseAccessKey(key)?.hash,
  })
})
