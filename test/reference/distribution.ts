export const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, number) => total + number, 0)

export const mean = (numbers: readonly number[]): number | null =>
  numbers.length === 0 ? null : sum(numbers) / numbers.length

/** Between neighbours by linear interpolation; null of nothing. */
export function percentile(numbers: readonly number[], level: number): number | null {
  const sorted = [...numbers].sort((a, b) => a - b)
  const place = (sorted.length - 1) * level
  const low = sorted[Math.floor(place)]
  const high = sorted[Math.ceil(place)]
  return low === undefined || high === undefined ? null : low + (high - low) * (place - Math.floor(place))
}

/** By the name of a math; 0 of nothing. */
export function aggregate(name: string, numbers: readonly number[]): number {
  if (numbers.length === 0) return 0
  if (name === 'sum') return sum(numbers)
  if (name === 'avg') return mean(numbers) ?? 0
  if (name === 'min') return Math.min(...numbers)
  if (name === 'max') return Math.max(...numbers)
  const level = name === 'median' ? 0.5 : Number(name.slice(1)) / 100
  return percentile(numbers, level) ?? 0
}
