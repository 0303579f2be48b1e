export interface Histogram {
  readonly name: string
  /** Only of what has these; all of it when not given. */
  readonly labels?: Readonly<Record<string, string>>
}

/**
 * The value below which a share of all observations lies, from a histogram in Prometheus' text format: evenly spread
 * within its bucket, as `histogram_quantile` of Prometheus takes it to be. What is past the last bound counts as it.
 *
 * @param share 0.5 for the median
 * @returns in the unit of the histogram; null when nothing was observed
 */
export function histogramQuantile(text: string, histogram: Histogram, share: number): number | null {
  const counts = cumulativeCounts(text, histogram)
  const rank = share * (counts.get(Number.POSITIVE_INFINITY) ?? 0)
  if (rank === 0) return null
  let lower = 0
  let below = 0
  for (const [bound, count] of [...counts].sort(([a], [b]) => a - b)) {
    if (bound === Number.POSITIVE_INFINITY) return lower
    if (count >= rank) return lower + ((bound - lower) * (rank - below)) / (count - below)
    lower = bound
    below = count
  }
  return lower
}

/** How many observations lie at or below each bound, series of other labels added up. */
function cumulativeCounts(text: string, { name, labels = {} }: Histogram): Map<number, number> {
  const counts = new Map<number, number>()
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${name}_bucket{`)) continue
    const own = new Map([...line.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, value]) => [label, value]))
    if (Object.entries(labels).some(([label, value]) => own.get(label) !== value)) continue
    const le = own.get('le')
    const bound = le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)
    counts.set(bound, (counts.get(bound) ?? 0) + Number(line.slice(line.lastIndexOf(' ') + 1)))
  }
  return counts
}
