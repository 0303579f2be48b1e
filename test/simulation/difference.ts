/** What of two lists of names differs, and what comes more than once: one sentence each. */
export function difference(place: string, expected: readonly string[], found: readonly string[]): string[] {
  const [wanted, there] = [counted(expected), counted(found)]
  return [
    ...[...wanted.keys()].filter((name) => !there.has(name)).map((name) => `${place}: ${name} is missing.`),
    ...[...there.keys()]
      .filter((name) => !wanted.has(name))
      .map((name) => `${place}: ${name} must not be there.`),
    ...[...there]
      .filter(([, times]) => times > 1)
      .map(([name, times]) => `${place}: ${name} is there ${times} times.`),
  ]
}

/** How often each name comes. */
export function counted(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}
