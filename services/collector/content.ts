import { RequestRefusal } from './request-refusal.ts'

export type BodyFormat = 'json' | 'ndjson'

const FORMATS: Readonly<Record<string, BodyFormat>> = {
  '': 'json',
  'application/json': 'json',
  // What browsers send without a preflight, sendBeacon among them, and what some clients put on any body.
  'text/plain': 'json',
  'application/x-www-form-urlencoded': 'json',
  'application/octet-stream': 'json',
  'application/x-ndjson': 'ndjson',
  'application/ndjson': 'ndjson',
  'application/jsonl': 'ndjson',
}

/**
 * How a body is to be read. The label is compared whole, without case; parameters other than a charset are ignored.
 *
 * @param contentType the header; undefined is read as JSON
 */
export function bodyFormat(contentType: string | undefined): BodyFormat | RequestRefusal {
  const [type = '', ...parameters] = (contentType ?? '').split(';').map((part) => part.trim().toLowerCase())
  const format = Object.hasOwn(FORMATS, type) ? FORMATS[type] : undefined
  if (format === undefined)
    return new RequestRefusal(
      'unsupported_media_type',
      'Send application/json or application/x-ndjson.',
      'content-type',
    )
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length)
  if (charset !== undefined && !['utf-8', 'utf8', '"utf-8"', '"utf8"', 'us-ascii'].includes(charset))
    return new RequestRefusal('unsupported_media_type', 'Send UTF-8.', 'content-type')
  return format
}

export const CODINGS = ['gzip', 'deflate', 'br', 'zstd'] as const
export type Coding = (typeof CODINGS)[number]

/**
 * The one coding that a body may have.
 *
 * @param contentEncoding the header; undefined and identity mean none is named
 */
export function bodyCoding(contentEncoding: string | undefined): Coding | null | RequestRefusal {
  const named = (contentEncoding ?? '').trim().toLowerCase()
  if (named === '' || named === 'identity') return null
  const coding = named === 'x-gzip' ? 'gzip' : named
  if ((CODINGS as readonly string[]).includes(coding)) return coding as Coding
  return new RequestRefusal(
    'unsupported_encoding',
    `One of ${CODINGS.join(', ')} is taken, once.`,
    'content-encoding',
  )
}
