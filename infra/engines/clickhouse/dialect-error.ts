/** A failure in ClickHouse's own terms: the engine's, or one that the front answers in the server's place. */
export class DialectError extends Error {
  /** ClickHouse's error number, e.g. 60. */
  readonly code: number
  /** ClickHouse's error name, e.g. UNKNOWN_TABLE. */
  readonly errorName: string

  /** @param message one sentence or more, without number and name */
  constructor(code: number, errorName: string, message: string) {
    super(message)
    this.name = 'DialectError'
    this.code = code
    this.errorName = errorName
  }
}

/**
 * Reads the engine's error text, `Code: N. DB::Exception: … (NAME)`. The engine wraps some errors in another one of
 * the same kind; the inner text is kept once.
 */
export function engineError(text: string): DialectError {
  const found = /^Code: (\d+)\. DB::Exception: (.*?)(?: \(([A-Z][A-Z0-9_]+)\))?$/s.exec(text.trim())
  if (!found) return new DialectError(1001, 'STD_EXCEPTION', text)
  const [, code, message = '', name = 'UNKNOWN_EXCEPTION'] = found
  const inner = message
    .replace(new RegExp(`^(?:Code: ${code}\\. DB::Exception: )+`), '')
    // Rows came over HTTP; that they wait in a file is the front's own business.
    .replace(/: \(in file\/uri [^)]*\)/, '')
    .replace(/(?: \([A-Z][A-Z0-9_]+\))? \(version [^)]*\)\.?$/, '')
  return new DialectError(Number(code), name, inner)
}

/** As a server writes it. */
export function errorText(error: DialectError, version: string): string {
  return `Code: ${error.code}. DB::Exception: ${error.message.replace(/\.$/, '')}. (${error.errorName}) (version ${version} (embedded))\n`
}

const BAD_REQUEST = [
  6, 25, 26, 27, 36, 38, 41, 43, 44, 53, 62, 72, 117, 125, 167, 168, 215, 254, 321, 379, 427, 441, 457, 456,
  675, 676,
]
const NOT_FOUND = [46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 336]

/** HTTP status of an error code, as the server's HTTP interface chooses it. */
export function httpStatus(code: number): number {
  if (code === 194) return 401
  if ([192, 193, 497, 516].includes(code)) return 403
  if (BAD_REQUEST.includes(code)) return 400
  if (NOT_FOUND.includes(code)) return 404
  if (code === 159) return 408
  if (code === 381) return 411
  if (code === 223) return 413
  if (code === 48) return 501
  // The server answers 202 with 500; "come back later" is what it means.
  if ([76, 202, 209, 439].includes(code)) return 503
  return 500
}
