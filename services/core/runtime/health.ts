/** The truth about one dependency or condition, as `/readyz` and `/healthz` tell it. */
export interface HealthCheck {
  readonly name: string
  /** `ready`: not fit for traffic while unwell. `live`: the process must be replaced when unwell. */
  readonly kind: 'ready' | 'live'
  /** Null when well, else one sentence saying what is wrong and what to do. Must not block or throw. */
  readonly problem: () => string | null
}

export interface HealthReport {
  readonly ok: boolean
  readonly checks: Readonly<Record<string, string>>
}

/** A closed list of the things that can be unwell; checks are added while the process is wired, not later. */
export class Health {
  readonly #checks: HealthCheck[] = []

  add(check: HealthCheck): void {
    this.#checks.push(check)
  }

  /** How many conditions are watched. */
  get size(): number {
    return this.#checks.length
  }

  /** Live: no `live` check is unwell. */
  live(): HealthReport {
    return report(this.#checks.filter((check) => check.kind === 'live'))
  }

  /** Ready: nothing at all is unwell. */
  ready(): HealthReport {
    return report(this.#checks)
  }
}

function report(checks: readonly HealthCheck[]): HealthReport {
  const answers = checks.map((check) => [check.name, check.problem() ?? 'ok'] as const)
  return { ok: answers.every(([, answer]) => answer === 'ok'), checks: Object.fromEntries(answers) }
}
