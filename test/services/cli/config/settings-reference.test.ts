import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  REFERENCE_FILE,
  referenceText,
  settingsReference,
  withReference,
} from '../../../../services/cli/config/settings-reference.ts'
import { integer, optional, text } from '../../../../services/core/runtime/settings.ts'

test('the reference in the docs is what the declarations say; "millrace config reference --write" renews it', async () => {
  const document = readFileSync(join(import.meta.dirname, '../../../..', REFERENCE_FILE), 'utf8')
  expect(withReference(document, await settingsReference())).toBe(document)
})

test('a setting that two stages read is told once', () => {
  const shared = text('A', { doc: 'Shared.' })
  const sections = [
    { title: 'one', settings: { shared } },
    {
      title: 'two',
      settings: { shared, own: integer('B', { default: '5', doc: 'x | y.' }), maybe: optional(shared) },
    },
    { title: 'three', settings: { shared } },
  ]
  expect(referenceText(sections)).toBe(`### one

| Variable | Default    | What it is |
| -------- | ---------- | ---------- |
| \`A\`      | (required) | Shared.    |

### two

| Variable | Default | What it is |
| -------- | ------- | ---------- |
| \`B\`      | \`5\`     | x \\| y.    |
`)
})

test('a document without the marks is refused', () => {
  expect(() => withReference('# Configuration\n', 'x')).toThrow('has lost its marks')
})
