import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ENRICHED_EVENT_FIELDS } from '../../schemas/enriched-event/v1.ts'
import { fieldReference, withGenerated } from '../../schemas/field-reference.ts'
import { REJECTED_EVENT_FIELDS, REJECTION_CODES } from '../../schemas/rejected-event/v1.ts'

const path = join(import.meta.dirname, '../../docs/events.md')

test('the reference of both events is what their schemas say; UPDATE_DOCS=1 renews it', () => {
  const document = readFileSync(path, 'utf8')
  const renewed = withGenerated(
    withGenerated(document, 'fields of the enriched event', fieldReference(ENRICHED_EVENT_FIELDS)),
    'fields of the rejected event',
    fieldReference(REJECTED_EVENT_FIELDS),
  )
  if (process.env.UPDATE_DOCS === '1') writeFileSync(path, renewed)
  expect(renewed).toBe(readFileSync(path, 'utf8'))
})

test('every code of a rejected event is explained', () => {
  const document = readFileSync(path, 'utf8')
  expect(REJECTION_CODES.filter((code) => !new RegExp(`\\| \`${code}\` +\\|`).test(document))).toEqual([])
})
