import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CHANGE_REASONS, PERSON_CHANGES } from '../../schemas/person/v1.ts'

const document = readFileSync(join(import.meta.dirname, '../../docs/persons.md'), 'utf8')

test('every change and every reason of a person’s history is explained', () => {
  expect(
    PERSON_CHANGES.filter((change) => !new RegExp(`^\\|.*\`${change}\`.* \\|`, 'm').test(document)),
  ).toEqual([])
  expect(
    Object.entries(CHANGE_REASONS).filter(([reason, sentence]) => {
      const line = document.split('\n').find((each) => each.startsWith(`| \`${reason}\` |`))
      return !line?.replaceAll('`', '').includes(sentence.slice(0, 30))
    }),
  ).toEqual([])
})
