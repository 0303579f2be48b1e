const FORBIDDEN = [
  [Math, 'random'],
  [Date, 'now'],
  [globalThis, 'setTimeout'],
  [globalThis, 'setInterval'],
] as const

/**
 * Until the returned function is called, whoever asks the machine for time or chance is told off: a history that
 * hangs on either cannot be told again.
 */
export function forbidChance(): () => void {
  const kept = FORBIDDEN.map(([owner, name]) => [owner, name, Reflect.get(owner, name)] as const)
  for (const [owner, name] of FORBIDDEN)
    Reflect.set(owner, name, () => {
      throw new Error(`A simulated history has time and chance of its own; something called ${name}.`)
    })
  return () => {
    for (const [owner, name, body] of kept) Reflect.set(owner, name, body)
  }
}
