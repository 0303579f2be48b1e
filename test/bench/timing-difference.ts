import { quantile } from './report.ts'

/** Times that labels are dealt out anew. */
const DEALS = 500
/** Chance alone makes a larger difference than the noise in one comparison of a hundred. */
const NOISE = 0.99

/**
 * How far the medians of two samples lie apart, and how far chance alone would bring them: the labels are dealt out anew
 * many times (a permutation test), so that nothing is assumed of how times are distributed.
 *
 * @returns in the unit of the samples; `noise` is the difference that 99 of 100 deals do not pass
 */
export function differenceOf(one: readonly number[], other: readonly number[], random = Math.random) {
  const median = (sample: ArrayLike<number>) => quantile(Float64Array.from(sample).toSorted() as never, 0.5)
  const medians = [median(one), median(other)] as const
  const all = Float64Array.from([...one, ...other])
  const differences = Array.from({ length: DEALS }, () => {
    for (let i = all.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1))
      const kept = all[i] as number
      all[i] = all[j] as number
      all[j] = kept
    }
    return Math.abs(median(all.subarray(0, one.length)) - median(all.subarray(one.length)))
  })
  return {
    medians,
    difference: medians[0] - medians[1],
    noise: quantile(
      differences.toSorted((a, b) => a - b),
      NOISE,
    ),
  }
}
