/**
 * Regular expressions of customers, matched in time that is linear in the text: a set of states walks over it once,
 * nothing is ever tried again. JavaScript's own engine tries again, and `(a+)+$` on thirty characters stops a process.
 *
 * Read is what JSON Schema recommends: characters, `.`, classes with ranges, `\d \D \w \W \s \S`, groups, `|`,
 * `* + ? {n} {n,} {n,m}` (also lazy), `^`, `$`, and `\t \n \v \f \r \0 \xHH \uHHHH \u{H…}`. Look-around, back
 * references, `\b` and `\p` are refused. Meaning and character set as with JavaScript's `u` flag.
 */
export interface LinearPattern {
  /** States that the pattern has; matching costs at most this many steps per character. */
  readonly states: number
  /** Does the pattern match anywhere in the text? */
  test(text: string): boolean
}

/** Counted repetitions are written out, so states are what bounds `(a{1000}){1000}`. */
export const PATTERN_STATES_MAX = 2_000

/** Longest pattern, characters: the width of one class is bounded by it too. */
export const PATTERN_CHARACTERS_MAX = 1_000

/** What is wrong with a pattern; the message is a sentence's end. */
export class PatternError extends Error {
  override readonly name = 'PatternError'
}

type Range = readonly [from: number, to: number]
type Node =
  | { readonly kind: 'start' }
  | { readonly kind: 'end' }
  | { readonly kind: 'set'; readonly ranges: readonly Range[]; readonly negated: boolean }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Node[] }
  | { readonly kind: 'repeat'; readonly part: Node; readonly min: number; readonly max: number }

/** @throws PatternError for what is no pattern, or one past the two limits above */
export function linearPattern(source: string): LinearPattern {
  if (source.length > PATTERN_CHARACTERS_MAX)
    throw new PatternError(`it has more than ${PATTERN_CHARACTERS_MAX} characters`)
  const program = compile(parse(source))
  return { states: program.length, test: (text) => run(program, text) }
}

const DIGIT: readonly Range[] = [[0x30, 0x39]]
const WORD: readonly Range[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]
const SPACE: readonly Range[] = [
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]
const LINE_END: readonly Range[] = [
  [0x0a, 0x0a],
  [0x0d, 0x0d],
  [0x2028, 0x2029],
]
const CONTROL: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13 }
const GROUP_DEPTH_MAX = 50

function parse(source: string): Node {
  const characters = Array.from(source)
  let at = 0
  const peek = () => characters[at]
  const fail = (what: string): never => {
    throw new PatternError(`${what} at character ${at + 1}`)
  }

  function choice(depth: number): Node {
    if (depth > GROUP_DEPTH_MAX) fail('groups are nested too deeply')
    const parts = [sequence(depth)]
    while (peek() === '|') {
      at++
      parts.push(sequence(depth))
    }
    return parts.length === 1 ? (parts[0] as Node) : { kind: 'choice', parts }
  }

  function sequence(depth: number): Node {
    const parts: Node[] = []
    while (at < characters.length && peek() !== '|' && peek() !== ')') parts.push(repeated(depth))
    return { kind: 'sequence', parts }
  }

  function repeated(depth: number): Node {
    const part = atom(depth)
    const bounds = quantifier()
    if (bounds === null) return part
    if (part.kind === 'start' || part.kind === 'end') fail('^ and $ cannot be repeated')
    if (peek() === '?') at++
    if (quantifier() !== null) fail('there is nothing to repeat')
    return { kind: 'repeat', part, ...bounds }
  }

  function quantifier(): { readonly min: number; readonly max: number } | null {
    const sign = peek()
    if (sign === '*' || sign === '+' || sign === '?') {
      at++
      return { min: sign === '+' ? 1 : 0, max: sign === '?' ? 1 : Number.POSITIVE_INFINITY }
    }
    if (sign !== '{') return null
    const match = /^\{(\d{1,6})(,(\d{1,6})?)?\}/.exec(characters.slice(at, at + 20).join(''))
    if (!match) return fail('{ must begin a count like {2} or {1,3}; write \\{ for the character')
    at += match[0].length
    const min = Number(match[1])
    const max =
      match[2] === undefined ? min : match[3] === undefined ? Number.POSITIVE_INFINITY : Number(match[3])
    if (max < min) fail('a count is the wrong way round')
    return { min, max }
  }

  function atom(depth: number): Node {
    const character = characters[at++] as string
    switch (character) {
      case '^':
        return { kind: 'start' }
      case '$':
        return { kind: 'end' }
      case '.':
        return { kind: 'set', ranges: LINE_END, negated: true }
      case '[':
        return characterClass()
      case '(':
        return group(depth)
      case '\\': {
        const read = escaped(false)
        return typeof read === 'number'
          ? { kind: 'set', ranges: [[read, read]], negated: false }
          : { kind: 'set', ...read }
      }
      case '*':
      case '+':
      case '?':
      case '{':
        at--
        return fail('there is nothing to repeat')
      case ']':
      case '}':
        at--
        return fail(`${character} must be written \\${character}`)
    }
    const code = character.codePointAt(0) as number
    return { kind: 'set', ranges: [[code, code]], negated: false }
  }

  function group(depth: number): Node {
    if (peek() === '?') {
      if (characters[at + 1] === ':') at += 2
      else {
        const name = /^\?<[A-Za-z_$][\w$]{0,60}>/.exec(characters.slice(at, at + 64).join(''))
        if (!name) return fail('look-around is not supported')
        at += name[0].length
      }
    }
    const inner = choice(depth + 1)
    if (peek() !== ')') fail('a group is not closed')
    at++
    return inner
  }

  function characterClass(): Node {
    const negated = peek() === '^'
    if (negated) at++
    const ranges: Range[] = []
    for (;;) {
      if (at >= characters.length) fail('a class is not closed')
      if (peek() === ']') {
        at++
        return { kind: 'set', ranges, negated }
      }
      const from = classAtom()
      if (peek() === '-' && at + 1 < characters.length && characters[at + 1] !== ']') {
        at++
        const to = classAtom()
        if (typeof from !== 'number' || typeof to !== 'number') return fail('a class cannot end a range')
        if (to < from) fail('a range is the wrong way round')
        ranges.push([from, to])
      } else if (typeof from === 'number') ranges.push([from, from])
      else ranges.push(...(from.negated ? inverted(from.ranges) : from.ranges))
    }
  }

  function classAtom(): number | Escaped {
    const character = characters[at++] as string
    return character === '\\' ? escaped(true) : (character.codePointAt(0) as number)
  }

  function escaped(inClass: boolean): number | Escaped {
    const character = characters[at++]
    if (character === undefined) return fail('it ends in a backslash')
    if (character in CONTROL && Object.hasOwn(CONTROL, character)) return CONTROL[character] as number
    switch (character) {
      case 'd':
      case 'D':
        return { ranges: DIGIT, negated: character === 'D' }
      case 'w':
      case 'W':
        return { ranges: WORD, negated: character === 'W' }
      case 's':
      case 'S':
        return { ranges: SPACE, negated: character === 'S' }
      case '0':
        if (/\d/.test(peek() ?? '')) fail('octal escapes are not supported')
        return 0
      case 'x':
        return hex(2)
      case 'u': {
        const braced = /^\{([0-9a-fA-F]{1,6})\}/.exec(characters.slice(at, at + 8).join(''))
        if (braced) {
          at += braced[0].length
          const code = Number.parseInt(braced[1] as string, 16)
          return code > 0x10ffff ? fail('there is no such character') : code
        }
        const high = hex(4)
        if (high < 0xd800 || high > 0xdbff || peek() !== '\\' || characters[at + 1] !== 'u') return high
        const before = at
        at += 2
        const low = hex(4)
        if (low >= 0xdc00 && low <= 0xdfff) return (high - 0xd800) * 0x400 + (low - 0xdc00) + 0x10000
        at = before
        return high
      }
    }
    if (/[\^$\\.*+?()[\]{}|/]/.test(character) || (inClass && character === '-'))
      return character.codePointAt(0) as number
    at--
    return fail(`\\${character} is not supported`)
  }

  function hex(digits: number): number {
    const text = characters.slice(at, at + digits).join('')
    if (text.length !== digits || !/^[0-9a-fA-F]+$/.test(text))
      return fail(`${digits} hex digits are missing`)
    at += digits
    return Number.parseInt(text, 16)
  }

  const whole = choice(0)
  if (at < characters.length) fail('a group is closed that was not opened')
  return whole
}

interface Escaped {
  readonly ranges: readonly Range[]
  readonly negated: boolean
}

/** All characters outside of ranges that are sorted and apart. */
function inverted(ranges: readonly Range[]): Range[] {
  const outside: Range[] = []
  let next = 0
  for (const [from, to] of ranges) {
    if (from > next) outside.push([next, from - 1])
    next = to + 1
  }
  return [...outside, [next, 0x10ffff]]
}

type Instruction =
  | { readonly op: 'set'; readonly ranges: readonly Range[]; readonly negated: boolean }
  | { readonly op: 'split'; first: number; second: number }
  | { readonly op: 'jump'; to: number }
  | { readonly op: 'start' | 'end' | 'match' }

/** Thompson's construction; a repetition is written out as often as it must match. */
function compile(node: Node): readonly Instruction[] {
  const program: Instruction[] = []
  function push<I extends Instruction>(instruction: I): I {
    if (program.length >= PATTERN_STATES_MAX)
      throw new PatternError(`it has more than ${PATTERN_STATES_MAX} states once its counts are written out`)
    program.push(instruction)
    return instruction
  }
  function emit(part: Node): void {
    switch (part.kind) {
      case 'start':
      case 'end':
        push({ op: part.kind })
        return
      case 'set':
        push({ op: 'set', ranges: part.ranges, negated: part.negated })
        return
      case 'sequence':
        part.parts.forEach(emit)
        return
      case 'choice': {
        const jumps: { to: number }[] = []
        for (const branch of part.parts.slice(0, -1)) {
          const split = push({ op: 'split', first: program.length + 1, second: 0 })
          emit(branch)
          jumps.push(push({ op: 'jump', to: 0 }))
          split.second = program.length
        }
        emit(part.parts.at(-1) as Node)
        for (const jump of jumps) jump.to = program.length
        return
      }
      case 'repeat': {
        // Each turn pushes at least one instruction, so a count of a million ends at the limit at once.
        for (let n = 0; n < part.min; n++) emitCounted(part.part)
        if (part.max === Number.POSITIVE_INFINITY) {
          const split = push({ op: 'split', first: program.length + 1, second: 0 })
          const loop = program.length - 1
          emit(part.part)
          push({ op: 'jump', to: loop })
          split.second = program.length
          return
        }
        const splits: { second: number }[] = []
        for (let n = part.min; n < part.max; n++) {
          splits.push(push({ op: 'split', first: program.length + 1, second: 0 }))
          emit(part.part)
        }
        for (const split of splits) split.second = program.length
      }
    }
  }
  function emitCounted(part: Node): void {
    const before = program.length
    emit(part)
    if (program.length === before) push({ op: 'jump', to: program.length + 1 })
  }
  emit(node)
  push({ op: 'match' })
  return program
}

function run(program: readonly Instruction[], text: string): boolean {
  let current: number[] = []
  let next: number[] = []
  /** Position at which a state was last added, so that each is added once per position. */
  const addedAt = new Int32Array(program.length).fill(-1)
  const pending: number[] = []
  let matched = false

  function add(state: number, into: number[], at: number, atEnd: boolean): void {
    pending.push(state)
    while (pending.length > 0) {
      const index = pending.pop() as number
      if (addedAt[index] === at) continue
      addedAt[index] = at
      const instruction = program[index] as Instruction
      switch (instruction.op) {
        case 'jump':
          pending.push(instruction.to)
          break
        case 'split':
          pending.push(instruction.second, instruction.first)
          break
        case 'start':
          if (at === 0) pending.push(index + 1)
          break
        case 'end':
          if (atEnd) pending.push(index + 1)
          break
        case 'match':
          matched = true
          break
        case 'set':
          into.push(index)
      }
    }
  }

  for (let at = 0; ; ) {
    // The pattern may begin at every position: an unanchored match needs no second run.
    add(0, current, at, at >= text.length)
    if (matched) return true
    if (at >= text.length) return false
    const code = text.codePointAt(at) as number
    const after = at + (code > 0xffff ? 2 : 1)
    for (const index of current) {
      const set = program[index] as Instruction & { op: 'set' }
      if (inRanges(set.ranges, code) !== set.negated) add(index + 1, next, after, after >= text.length)
    }
    ;[current, next] = [next, current]
    next.length = 0
    at = after
  }
}

function inRanges(ranges: readonly Range[], code: number): boolean {
  for (const [from, to] of ranges) if (code >= from && code <= to) return true
  return false
}
