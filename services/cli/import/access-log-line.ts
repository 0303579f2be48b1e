/** One line of an access log in the combined format of nginx and Apache. */
export interface AccessLogLine {
  /** Address or host name of the client. */
  readonly remoteHost: string
  /** Null when the server logged `-`. */
  readonly remoteUser: string | null
  /** Epoch milliseconds; the log's own precision is a second. */
  readonly timeMs: number
  readonly method: string
  /** Request target: a path with its query, or a whole address from a proxy's log. */
  readonly target: string
  readonly httpVersion: string
  readonly status: number
  /** Bytes of the answer's body; null when the server logged `-`. */
  readonly responseBytes: number | null
  readonly referrer: string | null
  readonly userAgent: string | null
}

/** Why a line is not used. A closed list. */
export const LINE_FAULTS = ['too_long', 'not_combined_format', 'bad_time', 'not_an_http_request'] as const
export type LineFault = (typeof LINE_FAULTS)[number]

/**
 * `host ident user [time] "request" status bytes "referrer" "user agent"`, then anything. Quoted parts end at a
 * quote that no backslash stands before. Each part excludes the character that ends it, so matching is linear.
 */
const COMBINED =
  /^(\S+) (\S+) (\S+(?: [^[\s]\S*)*) \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-) "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"/s
const TIME = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})$/
const REQUEST = /^([A-Z]{1,20}) (\S+) HTTP\/(\d(?:\.\d)?)$/
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/**
 * Reads one line. The same bytes always give the same result; bytes that are not UTF-8 become U+FFFD.
 *
 * @param line without its line end; a carriage return at its end is ignored
 */
export function parseAccessLogLine(line: Buffer): AccessLogLine | LineFault {
  const text = line.toString('utf8').replace(/\r$/, '')
  const parts = COMBINED.exec(text)
  if (parts === null) return 'not_combined_format'
  const timeMs = parseTime(parts[4]!)
  if (timeMs === null) return 'bad_time'
  const request = REQUEST.exec(unescaped(parts[5]!))
  if (request === null) return 'not_an_http_request'
  return {
    remoteHost: parts[1]!,
    remoteUser: absent(parts[3]!),
    timeMs,
    method: request[1]!,
    target: request[2]!,
    httpVersion: request[3]!,
    status: Number(parts[6]),
    responseBytes: parts[7] === '-' ? null : Number(parts[7]),
    referrer: absent(unescaped(parts[8]!)),
    userAgent: absent(unescaped(parts[9]!)),
  }
}

function absent(text: string): string | null {
  return text === '-' || text === '' ? null : text
}

/** `22/Nov/2026:13:49:27 +0100`; null when it is no such time. */
function parseTime(text: string): number | null {
  const parts = TIME.exec(text)
  if (parts === null) return null
  const month = MONTHS.indexOf(parts[2]!)
  const [day, year, hour, minute, second] = [parts[1], parts[3], parts[4], parts[5], parts[6]].map(Number)
  const zoneMs = (parts[7] === '-' ? -1 : 1) * (Number(parts[8]) * 60 + Number(parts[9])) * 60_000
  const localMs = Date.UTC(year!, month, day, hour, minute, second)
  // Date.UTC carries over: the 31st of February would become a day in March.
  const isReal =
    month >= 0 && new Date(localMs).getUTCDate() === day && hour! < 24 && minute! < 60 && second! < 61
  return isReal ? localMs - zoneMs : null
}

/** nginx writes `\x22` for bytes that need it; Apache also writes `\"`, `\\`, `\n`, `\t`. */
function unescaped(text: string): string {
  if (!text.includes('\\')) return text
  const bytes: Buffer[] = []
  for (const part of text.matchAll(/\\x([0-9A-Fa-f]{2})|\\([\s\S])|[^\\]+/g)) {
    if (part[1] !== undefined) bytes.push(Buffer.from(part[1], 'hex'))
    else if (part[2] !== undefined) bytes.push(Buffer.from(ESCAPES[part[2]] ?? part[2]))
    else bytes.push(Buffer.from(part[0]))
  }
  return Buffer.concat(bytes).toString('utf8')
}
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', v: '\v', b: '\b', f: '\f' }
