/** `[from, until)`, or without an end. */
export type OffsetRange = readonly [number, number | null]
export type ClosedRange = readonly [number, number]

/** Sorted, without overlaps and without ranges that touch. */
export function merged(ranges: readonly ClosedRange[]): ClosedRange[] {
  const found: [number, number][] = []
  for (const [from, until] of ranges.filter(([a, b]) => a < b).toSorted((x, y) => x[0] - y[0])) {
    const last = found.at(-1)
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], until)
    else found.push([from, until])
  }
  return found
}

/** What both have. */
export function common(some: readonly ClosedRange[], others: readonly ClosedRange[]): ClosedRange[] {
  return merged(
    some.flatMap(([from, until]) =>
      others.map(([a, b]): ClosedRange => [Math.max(from, a), Math.min(until, b)]),
    ),
  )
}

/** What the first have and the others have not. */
export function without(some: readonly ClosedRange[], others: readonly ClosedRange[]): ClosedRange[] {
  let left = merged(some)
  for (const [a, b] of others)
    left = left.flatMap(([from, until]): ClosedRange[] => [
      [from, Math.min(until, a)],
      [Math.max(from, b), until],
    ])
  return merged(left)
}

export function isWithin(ranges: readonly OffsetRange[], offset: number): boolean {
  return ranges.some(([from, until]) => offset >= from && (until === null || offset < until))
}
