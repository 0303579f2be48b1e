/** Names at one level of a JSON object; `true` stands for the whole value. */
export type MaskTree = ReadonlyMap<string, true | MaskTree>

export interface Mask {
  readonly mode: 'include' | 'exclude'
  readonly tree: MaskTree
  /** Equal masks have equal texts: a record is cut once for all subscriptions that share one. */
  readonly text: string
}

/** @param paths of columns and of members inside them */
export function createMask(mode: Mask['mode'], paths: readonly (readonly string[])[]): Mask {
  const tree = new Map<string, true | MaskTree>()
  for (const path of paths) addPath(tree, path)
  const sorted = paths.map((path) => JSON.stringify(path)).sort()
  return { mode, tree, text: `${mode}${sorted.join()}` }
}

function addPath(tree: Map<string, true | MaskTree>, [name = '', ...rest]: readonly string[]): void {
  const known = tree.get(name)
  if (known === true) return // The whole value is named already.
  if (rest.length === 0) {
    tree.set(name, true)
    return
  }
  const inner = new Map(known)
  addPath(inner, rest)
  tree.set(name, inner)
}

/**
 * Cuts members out of the bytes of a JSON object. What stays is copied as it is: no number changes its digits, no
 * name its order, as they would by parsing and writing again.
 *
 * @returns null when the bytes are no JSON object
 */
export function maskJson(bytes: Buffer, mask: Mask): Buffer | null {
  const kept: Buffer[] = []
  const end = maskObject(bytes, skipSpace(bytes, 0), mask.mode === 'include', mask.tree, kept)
  return end === -1 || skipSpace(bytes, end) !== bytes.length ? null : Buffer.concat(kept)
}

const [QUOTE, COMMA, COLON, BACKSLASH] = [0x22, 0x2c, 0x3a, 0x5c]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]
const LETTER_N = 0x6e
const [BEGIN, END, SEPARATOR, NAMED] = [
  Buffer.from('{'),
  Buffer.from('}'),
  Buffer.from(','),
  Buffer.from(':'),
]

/** Puts what stays of the object at `at` into `kept`. @returns where it ends, -1 when it is none */
function maskObject(bytes: Buffer, at: number, including: boolean, tree: MaskTree, kept: Buffer[]): number {
  if (bytes[at] !== OPEN_BRACE) return -1
  kept.push(BEGIN)
  let first = true
  let next = skipSpace(bytes, at + 1)
  if (bytes[next] === CLOSE_BRACE) {
    kept.push(END)
    return next + 1
  }
  for (;;) {
    const nameEnd = bytes[next] === QUOTE ? skipText(bytes, next) : -1
    if (nameEnd === -1) return -1
    const colon = skipSpace(bytes, nameEnd)
    if (bytes[colon] !== COLON) return -1
    const value = skipSpace(bytes, colon + 1)
    const end = skipValue(bytes, value)
    if (end === -1) return -1

    const named = tree.get(nameOf(bytes, next, nameEnd))
    const inside = named !== undefined && named !== true ? named : null
    // Of a null nothing can be taken out; a value without members has nothing that a path into it could name.
    const whole = inside === null ? (named === true) === including : !including || bytes[value] === LETTER_N
    const descend = inside !== null && bytes[value] === OPEN_BRACE
    if (whole || descend) {
      if (!first) kept.push(SEPARATOR)
      first = false
      kept.push(bytes.subarray(next, nameEnd), NAMED)
      if (!descend) kept.push(bytes.subarray(value, end))
      else if (maskObject(bytes, value, including, inside, kept) === -1) return -1
    }
    next = skipSpace(bytes, end)
    if (bytes[next] === CLOSE_BRACE) {
      kept.push(END)
      return next + 1
    }
    if (bytes[next] !== COMMA) return -1
    next = skipSpace(bytes, next + 1)
  }
}

function nameOf(bytes: Buffer, start: number, end: number): string {
  const plain = bytes.toString('utf8', start + 1, end - 1)
  return plain.includes('\\') ? (JSON.parse(bytes.toString('utf8', start, end)) as string) : plain
}

function skipSpace(bytes: Buffer, at: number): number {
  let next = at
  for (;;) {
    const byte = bytes[next]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return next
    next++
  }
}

/** @returns the index after the closing quote, -1 when there is none */
function skipText(bytes: Buffer, at: number): number {
  for (let next = at + 1; next < bytes.length; next++) {
    const byte = bytes[next]
    if (byte === BACKSLASH) next++
    else if (byte === QUOTE) return next + 1
  }
  return -1
}

/** @returns the index after the value, -1 when it does not end */
function skipValue(bytes: Buffer, at: number): number {
  const first = bytes[at]
  if (first === QUOTE) return skipText(bytes, at)
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
    let next = at
    while (next < bytes.length && !endsScalar(bytes[next]!)) next++
    return next === at ? -1 : next
  }
  let depth = 0
  let next = at
  while (next < bytes.length) {
    const byte = bytes[next]
    if (byte === QUOTE) {
      next = skipText(bytes, next)
      if (next === -1) return -1
      continue
    }
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth--
      if (depth === 0) return next + 1
    }
    next++
  }
  return -1
}

function endsScalar(byte: number): boolean {
  return byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte <= 0x20
}
