/** The part of autocannon that the benchmark uses; the package brings no types. */
declare module 'autocannon' {
  interface Options {
    readonly url: string
    readonly method: 'POST'
    readonly connections: number
    /** Requests in all. */
    readonly amount: number
    /** Requests per second over all connections. */
    readonly overallRate?: number
    readonly headers: Readonly<Record<string, string>>
    /** Sent in turn by every connection. */
    readonly requests: readonly { readonly body: string }[]
  }
  interface Result {
    readonly non2xx: number
    readonly errors: number
    /** Seconds. */
    readonly duration: number
    /** Milliseconds. */
    readonly latency: { readonly p50: number; readonly p99: number }
  }
  export default function autocannon(options: Options): Promise<Result>
}
