import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseAccessLogLine } from '../../../../services/cli/import/access-log-line.ts'

const parse = (line: string) => parseAccessLogLine(Buffer.from(line))
const good =
  '203.0.113.7 - alice [22/Nov/2026:14:49:27 +0100] "GET /a?b=%20c HTTP/1.1" 200 512 "https://r.example/x" "UA/1.0 (x)"'

test('a line of the combined format is read in full, its time in UTC', () => {
  expect(parse(good)).toEqual({
    remoteHost: '203.0.113.7',
    remoteUser: 'alice',
    timeMs: Date.parse('2026-11-22T13:49:27Z'),
    method: 'GET',
    target: '/a?b=%20c',
    httpVersion: '1.1',
    status: 200,
    responseBytes: 512,
    referrer: 'https://r.example/x',
    userAgent: 'UA/1.0 (x)',
  })
})

test('a dash stands for what was not there', () => {
  expect(parse('::1 - - [01/Jan/2026:00:00:00 -0330] "HEAD / HTTP/2.0" 304 - "-" "-"')).toMatchObject({
    remoteHost: '::1',
    remoteUser: null,
    timeMs: Date.parse('2026-01-01T03:30:00Z'),
    responseBytes: null,
    referrer: null,
    userAgent: null,
  })
})

test('escaped quotes and bytes are undone, of nginx and of Apache', () => {
  const line = String.raw`h - - [22/Nov/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 1 "a\x22b" "c\"d\\e \xE6\xB0\xB4"`
  expect(parse(line)).toMatchObject({ referrer: 'a"b', userAgent: 'c"d\\e 水' })
})

test('fields after the user agent, user names with spaces and a carriage return do no harm', () => {
  expect(parse(`${good} "-" 0.003\r`)).toMatchObject({ remoteUser: 'alice' })
  expect(parse(good.replace('alice', 'alice van dyke'))).toMatchObject({ remoteUser: 'alice van dyke' })
})

test.each([
  ['', 'not_combined_format'],
  ['hello', 'not_combined_format'],
  [good.slice(0, -1), 'not_combined_format'],
  [good.replace('22/Nov', '31/Feb'), 'bad_time'],
  [good.replace('22/Nov', '22/Nix'), 'bad_time'],
  [good.replace('14:49:27', '25:00:00'), 'bad_time'],
  [good.replace('GET /a?b=%20c HTTP/1.1', String.raw`\x16\x03\x01`), 'not_an_http_request'],
  [good.replace('GET /a?b=%20c HTTP/1.1', '-'), 'not_an_http_request'],
])('%j is %s', (line, fault) => {
  expect(parse(line)).toBe(fault)
})

test('no bytes at all make it throw, and hostile lines do not take long', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      parseAccessLogLine(Buffer.from(bytes))
    }),
  )
  for (const hostile of ['\\"', 'a ', '"', '\\x', 'x [']) parse(`h - ${hostile.repeat(20_000)}`)
})
