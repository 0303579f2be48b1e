import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/**
 * Metrics of one process. Names are `millrace_<stage>_<noun>_<unit>`; counters are bumped per batch, never per
 * event; label values come from closed or bounded sets (`boundedLabel`).
 */
export interface Metrics {
  counter(name: string, help: string, labels?: readonly string[]): MetricCounter
  gauge(name: string, help: string, labels?: readonly string[]): MetricGauge
  /** @param buckets upper bounds in the unit of the name */
  histogram(
    name: string,
    help: string,
    buckets: readonly number[],
    labels?: readonly string[],
  ): MetricHistogram
  /** The whole registry in Prometheus' text format. */
  expose(): Promise<string>
}
export interface MetricCounter {
  add(value: number, labels?: Readonly<Record<string, string>>): void
}
export interface MetricGauge {
  set(value: number, labels?: Readonly<Record<string, string>>): void
  /** What these labels name is not here any more: the series ends. */
  remove(labels: Readonly<Record<string, string>>): void
}
export interface MetricHistogram {
  observe(value: number, labels?: Readonly<Record<string, string>>): void
}

/** Seconds: from a millisecond to half a minute. */
export const LATENCY_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const

export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const made = new Map<string, Counter | Gauge | Histogram>()

  /** Stages of one process may ask for the same metric; they then share it. */
  function once<T extends Counter | Gauge | Histogram>(name: string, make: () => T): T {
    const existing = made.get(name)
    if (existing) return existing as T
    const metric = make()
    made.set(name, metric)
    return metric
  }
  return {
    counter(name, help, labels = []) {
      const c = once(name, () => new Counter({ name, help, labelNames: [...labels], registers: [registry] }))
      return { add: (value, given) => (given ? c.inc(given, value) : c.inc(value)) }
    },
    gauge(name, help, labels = []) {
      const g = once(name, () => new Gauge({ name, help, labelNames: [...labels], registers: [registry] }))
      return {
        set: (value, given) => (given ? g.set(given, value) : g.set(value)),
        remove: (given) => g.remove(given),
      }
    },
    histogram(name, help, buckets, labels = []) {
      const h = once(
        name,
        () =>
          new Histogram({
            name,
            help,
            labelNames: [...labels],
            buckets: [...buckets],
            registers: [registry],
          }),
      )
      return { observe: (value, given) => (given ? h.observe(given, value) : h.observe(value)) }
    },
    expose: () => registry.metrics(),
  }
}

/** A label function that keeps the first `max` values it sees and calls every later one `other`. */
export function boundedLabel(max: number): (value: string) => string {
  const seen = new Set<string>()
  return (value) => {
    if (seen.has(value)) return value
    if (seen.size >= max) return 'other'
    seen.add(value)
    return value
  }
}
