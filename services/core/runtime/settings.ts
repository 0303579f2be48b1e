/**
 * Process settings from the environment: declared once per stage, parsed once in `main.ts`, frozen, every fault
 * reported at once. The declarations also make the generated configuration reference.
 */
export interface Setting<T> {
  /** Environment variable, `MILLRACE_…` unless the name is somebody else's convention (`AWS_REGION`). */
  readonly variable: string
  /** One sentence for the reference; units included. */
  readonly doc: string
  /** Text as one would write it into the environment; null when the setting has no default. */
  readonly defaultText: string | null
  readonly required: boolean
  /** Never printed: shown as `***`. */
  readonly secret: boolean
  /** @throws Error whose message completes the sentence "<VARIABLE> …" */
  readonly parse: (text: string) => T
}

export type Settings<S extends Record<string, Setting<unknown>>> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never
}

/** Everything that is wrong with the environment, one sentence each. */
export class SettingsError extends Error {
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(
      `The settings have ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((f) => `  ${f}`).join('\n')}`,
    )
    this.name = 'SettingsError'
    this.faults = faults
  }
}

/** @throws SettingsError naming every fault */
export function parseSettings<S extends Record<string, Setting<unknown>>>(
  declared: S,
  environment: Readonly<Record<string, string | undefined>>,
): Settings<S> {
  const values: Record<string, unknown> = {}
  const faults: string[] = []
  for (const [name, setting] of Object.entries(declared)) {
    const text = environment[setting.variable] ?? setting.defaultText
    if (text === null || text === undefined || (text === '' && setting.required)) {
      if (setting.required) faults.push(`${setting.variable} is not set. It is needed: ${setting.doc}`)
      else values[name] = null
      continue
    }
    try {
      values[name] = setting.parse(text)
    } catch (error) {
      const shown = setting.secret ? '***' : JSON.stringify(text)
      faults.push(`${setting.variable} is ${shown} but ${(error as Error).message}.`)
    }
  }
  if (faults.length > 0) throw new SettingsError(faults)
  return Object.freeze(values) as Settings<S>
}

interface Options {
  readonly doc: string
  readonly default?: string
  readonly secret?: boolean
}

function setting<T>(variable: string, options: Options, parse: (text: string) => T): Setting<T> {
  return {
    variable,
    doc: options.doc,
    defaultText: options.default ?? null,
    required: options.default === undefined,
    secret: options.secret ?? false,
    parse,
  }
}

/** The same setting, null when it is not set. */
export function optional<T>(declared: Setting<T>): Setting<T | null> {
  return { ...declared, required: false, parse: (text) => (text === '' ? null : declared.parse(text)) }
}

export function text(variable: string, options: Options): Setting<string> {
  return setting(variable, options, (value) => value)
}

/** @param options `min` and `max` are inclusive */
export function integer(
  variable: string,
  options: Options & { readonly min?: number; readonly max?: number },
): Setting<number> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = options
  return setting(variable, options, (value) => {
    const parsed = Number(value)
    if (!/^-?\d+$/.test(value) || !Number.isSafeInteger(parsed)) throw new Error('must be a whole number')
    if (parsed < min || parsed > max) throw new Error(`must be from ${min} to ${max}`)
    return parsed
  })
}

/** Bytes: a whole number, or one followed by KB, MB or GB (powers of 1024). */
export function bytes(variable: string, options: Options): Setting<number> {
  return setting(variable, options, parseBytes)
}

/** @throws Error completing "<name> …" */
export function parseBytes(value: string): number {
  const match = /^(\d{1,12})(B|KB|MB|GB)?$/i.exec(value)
  if (!match) throw new Error('must be bytes like 1048576, 512KB, 64MB or 2GB')
  const unit = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 }[(match[2] ?? 'B').toUpperCase()] as number
  return Number(match[1]) * unit
}

/** A duration in milliseconds: a whole number followed by ms, s, m, h or d. */
export function duration(variable: string, options: Options): Setting<number> {
  return setting(variable, options, parseDuration)
}

/** @throws Error completing "<name> …" */
export function parseDuration(value: string): number {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value)
  if (!match) throw new Error('must be a duration like 250ms, 30s, 5m, 12h or 7d')
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as string] as number
  return Number(match[1]) * unit
}

export function boolean(variable: string, options: Options): Setting<boolean> {
  return setting(variable, options, (value) => {
    if (value === 'true' || value === '1') return true
    if (value === 'false' || value === '0') return false
    throw new Error('must be true or false')
  })
}

export function choice<const C extends readonly string[]>(
  variable: string,
  choices: C,
  options: Options,
): Setting<C[number]> {
  return setting(variable, options, (value) => {
    if (!choices.includes(value)) throw new Error(`must be one of ${choices.join(', ')}`)
    return value
  })
}
