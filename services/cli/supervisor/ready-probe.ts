import type { HealthReport } from '../../core/runtime/health.ts'

const TIMEOUT_MS = 2000

/** Asks a process whether it is fit for work. Null when it is, else what it says is wrong. */
export async function readyProblem(opsPort: number): Promise<string | null> {
  try {
    const response = await fetch(`http://127.0.0.1:${opsPort}/readyz`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const { ok, checks } = (await response.json()) as HealthReport
    if (response.ok && ok) return null
    const unwell = Object.entries(checks).filter(([, answer]) => answer !== 'ok')
    return (
      unwell.map(([check, answer]) => `${check}: ${answer}`).join(' ') || `It answers ${response.status}.`
    )
  } catch {
    return 'It does not answer yet.'
  }
}
