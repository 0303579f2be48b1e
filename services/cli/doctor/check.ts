/** What one look at a dependency found. */
export interface Finding {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'fault'
  readonly detail: string
  /** What to do about it; null when it is well. */
  readonly fix: string | null
}

export const ok = (name: string, detail: string): Finding => ({ name, status: 'ok', detail, fix: null })
export const warning = (name: string, detail: string, fix: string): Finding => ({
  name,
  status: 'warning',
  detail,
  fix,
})
export const fault = (name: string, detail: string, fix: string): Finding => ({
  name,
  status: 'fault',
  detail,
  fix,
})

/** One line per finding, its fix under it. */
export function findingText({ name, status, detail, fix }: Finding): string {
  const mark = { ok: 'ok     ', warning: 'warning', fault: 'FAULT  ' }[status]
  return `${mark}  ${name.padEnd(22)}  ${detail}${fix === null ? '' : `\n${' '.repeat(33)}→ ${fix}`}`
}

/** Clocks that are further apart make events look early or late. */
const CLOCK_SKEW_WARNING_MS = 2_000
const CLOCK_SKEW_FAULT_MS = 60_000

/**
 * Compares a dependency's clock with ours.
 *
 * @param theirMs   epoch ms as the dependency told it
 * @param beforeMs  our clock when it was asked
 * @param afterMs   our clock when it had answered
 * @param granularityMs how exactly it tells the time
 */
export function clockFinding(
  name: string,
  theirMs: number,
  beforeMs: number,
  afterMs: number,
  granularityMs: number,
): Finding {
  // It answered somewhere between the two; only what lies outside is a difference.
  const skewMs = theirMs > afterMs ? theirMs - afterMs : Math.min(0, theirMs + granularityMs - beforeMs)
  const detail = `${skewMs === 0 ? 'no difference' : `${(skewMs / 1000).toFixed(1)} s`} to this machine's clock`
  if (Math.abs(skewMs) < CLOCK_SKEW_WARNING_MS) return ok(name, detail)
  const fix = 'Run a time service (chrony, systemd-timesyncd) on both machines.'
  return Math.abs(skewMs) < CLOCK_SKEW_FAULT_MS ? warning(name, detail, fix) : fault(name, detail, fix)
}
