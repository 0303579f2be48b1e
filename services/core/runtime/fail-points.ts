import { optional, type Setting, text } from './settings.ts'

/** For tests and chaos runs: a stage that declares it can be killed at the moments where a kill is hardest. */
export const FAIL_POINT_SETTING: Setting<string | null> = optional(
  text('MILLRACE_FAIL_POINT', {
    doc: 'For tests: the process kills itself at this point, e.g. after_plan, or after_plan:3 the third time it is passed.',
  }),
)

/**
 * Makes the function that code calls as it passes its fail points; it does nothing unless one was asked for.
 *
 * @param asked  `name` or `name:n`, null for none
 * @param kill   ends the process at once, as a power cut would
 */
export function failPoints(
  asked: string | null,
  kill: () => void = () => process.kill(process.pid, 'SIGKILL'),
): (name: string) => void {
  if (asked === null) return () => undefined
  const [wanted, count = '1'] = asked.split(':')
  let left = Number(count)
  return (name) => {
    if (name !== wanted) return
    left--
    if (left === 0) kill()
  }
}
