import { writeSync } from 'node:fs'
import { optional, parseDuration, type Setting, text } from './settings.ts'

/** Called as code passes the moment of that name. A promise is a moment that was made to last. */
export type FailPoint<Name extends string = string> = (name: Name) => Promise<void> | void

/** What is to happen at one point, as asked for in the environment. */
export interface FailPlan {
  readonly point: string
  /** The pass at which it happens, once; null when every pass may. */
  readonly pass: number | null
  /** In (0, 1]: the share of passes at which it happens. */
  readonly probability: number
  readonly action: FailAction
}

export type FailAction =
  | { readonly kind: 'throw' }
  /** After so many ms, while the work goes on: what was passed is under way by then. */
  | { readonly kind: 'kill'; readonly ms: number }
  /** `sleep` leaves the event loop to others, `busy` holds it. */
  | { readonly kind: 'sleep' | 'busy'; readonly ms: number }

/** For tests and chaos runs: a stage that declares it can be hurt at the moments where that is hardest. */
export const FAIL_POINT_SETTING: Setting<readonly FailPlan[] | null> = (() => {
  const declared = text('MILLRACE_FAIL_POINT', {
    doc: 'For tests: what happens as the process passes a point in its work. after_plan kills it there, after_plan:3 at the third pass, after_plan:1% at one pass in a hundred; after_plan=kill 5ms kills it a little later; after_plan=throw fails, after_plan=sleep 20s waits, after_plan=busy 10s holds the event loop. Several with commas.',
  })
  return optional({ ...declared, parse: parseFailPlans })
})()

/** @throws Error completing "<variable> …" */
export function parseFailPlans(asked: string): readonly FailPlan[] {
  return asked.split(',').map((one) => {
    const match = /^([a-z_]+)(?::(?:([1-9]\d{0,8})|(\d{1,3}(?:\.\d+)?)%))?(?:=(.+))?$/.exec(one.trim())
    if (match === null)
      throw new Error('must be points like after_plan, after_plan:3 or after_plan:1%=sleep 20s')
    const [, point, pass, percent, action] = match
    const probability = percent === undefined ? 1 : Number(percent) / 100
    if (probability === 0 || probability > 1) throw new Error('must name a share above 0% and up to 100%')
    return {
      point: point as string,
      pass: percent === undefined ? Number(pass ?? 1) : null,
      probability,
      action: parseAction(action ?? 'kill'),
    }
  })
}

function parseAction(action: string): FailAction {
  if (action === 'kill') return { kind: 'kill', ms: 0 }
  if (action === 'throw') return { kind: 'throw' }
  const [kind, ms] = action.split(' ')
  if ((kind !== 'kill' && kind !== 'sleep' && kind !== 'busy') || ms === undefined)
    throw new Error('must end in =kill, =kill 5ms, =throw, =sleep 20s or =busy 20s')
  return { kind, ms: parseDuration(ms) }
}

/** What fail points do to the process; tests put something harmless in its place. */
export interface FailWorld {
  /** Told before it happens: the last thing that a killed process says. */
  readonly note: (text: string) => void
  /** At once, or while everything else goes on for so long. */
  readonly kill: (afterMs: number) => void
  readonly sleep: (ms: number) => Promise<void>
  /** Monotonic, ms. */
  readonly monotonic: () => number
  /** In [0, 1). */
  readonly random: () => number
}

const REAL: FailWorld = {
  // Not through the logger, which may still hold the line when the process is gone.
  note: (line) => void writeSync(2, `${line}\n`),
  kill: (afterMs) => {
    const kill = () => process.kill(process.pid, 'SIGKILL')
    if (afterMs === 0) kill()
    else setTimeout(kill, afterMs)
  },
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  monotonic: () => performance.now(),
  random: Math.random,
}

/**
 * Makes the function that code calls as it passes its fail points; it does nothing unless something was asked for.
 *
 * @throws an Error of no dependency's where `throw` was asked for: the process must end by it
 */
export function failPoints(asked: readonly FailPlan[] | null, world: FailWorld = REAL): FailPoint {
  if (asked === null) return () => undefined
  const passes = asked.map(() => 0)
  const due = ({ point, pass, probability }: FailPlan, index: number, name: string): boolean => {
    if (point !== name) return false
    passes[index] = passes[index]! + 1
    return pass === null ? world.random() < probability : passes[index] === pass
  }
  return (name) => {
    const plan = asked.find((one, index) => due(one, index, name))
    if (plan === undefined) return
    const { action } = plan
    world.note(`fail point ${name}: ${action.kind}`)
    if (action.kind === 'kill') return world.kill(action.ms)
    if (action.kind === 'throw') throw new Error(`The fail point ${name} was asked to throw.`)
    if (action.kind === 'sleep') return world.sleep(action.ms)
    const until = world.monotonic() + action.ms
    while (world.monotonic() < until);
  }
}
