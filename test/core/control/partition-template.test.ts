import { expect, test } from 'vitest'
import {
  DEFAULT_PARTITION_TEMPLATE,
  parsePartitionTemplate,
} from '../../../services/core/control/partition-template.ts'

test.each([
  ['dataset={datset}', 'there is no placeholder {datset}; did you mean "dataset"?', 8],
  ['{event:yyyy}', '{event} takes no format', 0],
  ['dt={landed}', '{landed} needs a format, for example {landed:yyyy-MM-dd}', 3],
  [
    'dt={event_time:YYYY}',
    'the format of {event_time} is made of yyyy, MM, dd, HH and the separators _ . -',
    3,
  ],
  ['dt={event_time:}', 'the format of {event_time} is made of yyyy, MM, dd, HH and the separators _ . -', 3],
  ['{landed:yyyy/MM}', 'the format of {landed} is made of yyyy, MM, dd, HH and the separators _ . -', 0],
  ['{event', 'this brace is not closed', 0],
  ['a b', 'only letters, digits and !_.*()=/- may stand outside of braces', 0],
  ['{event}}', 'only letters, digits and !_.*()=/- may stand outside of braces', 7],
  ['../{event}', 'a folder is empty or made of dots; no slash may lead or trail', 0],
  ['/{event}', 'a folder is empty or made of dots; no slash may lead or trail', 0],
  ['{event}/', 'a folder is empty or made of dots; no slash may lead or trail', 0],
  ['', 'a folder is empty or made of dots; no slash may lead or trail', 0],
])('%j: %s', (template, message, position) => {
  expect(parsePartitionTemplate(template)).toEqual({ message, position })
})

test('a template is literal text and placeholders in order', () => {
  expect(parsePartitionTemplate(DEFAULT_PARTITION_TEMPLATE)).toEqual([
    { kind: 'literal', text: 'dataset=' },
    { kind: 'dataset' },
    { kind: 'literal', text: '/dt=' },
    { kind: 'landed', format: 'yyyy-MM-dd' },
    { kind: 'literal', text: '/hour=' },
    { kind: 'landed', format: 'HH' },
  ])
})
