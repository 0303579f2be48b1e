import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** A process that a pid alone cannot name: pids are used again, after a reboot within minutes. */
export interface ProcessIdentity {
  readonly pid: number
  /** When it started, in the words of the system; '' when the system does not tell. */
  readonly started: string
}

/** @returns null when no process has this pid, or only one that has ended and waits for its parent */
export function identify(pid: number): ProcessIdentity | null {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return null // EPERM: there, but another user's.
  }
  if (process.platform === 'linux') {
    try {
      // The command name may hold spaces and parentheses; after it come the state and, 19 fields on, the start in
      // clock ticks since boot.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (fields[0] === 'Z' || fields[0] === 'X') return null
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
      return { pid, started: `${boot}:${fields[19]}` }
    } catch {
      return null
    }
  }
  const { stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
  const [, state, started] = /^\s*(\S+)\s+(.*\S)\s*$/.exec(stdout ?? '') ?? []
  if (state?.startsWith('Z')) return null
  return { pid, started: started ?? '' }
}

/** Whether that very process still runs: not merely one that got its pid. */
export function isRunning(process: ProcessIdentity): boolean {
  const now = identify(process.pid)
  return now !== null && (process.started === '' || now.started === '' || now.started === process.started)
}

/** The file is the lock. It names the process that holds it, so a lock left by a killed one is found out. */
export interface ProcessLock {
  /** Names another process as the holder: a child that the lock is held for. */
  handTo(holder: ProcessIdentity): void
  release(): void
}

/** @returns the lock, or who holds it */
export function takeLock(file: string): ProcessLock | { readonly heldBy: ProcessIdentity } {
  mkdirSync(dirname(file), { recursive: true })
  const own = JSON.stringify(identify(process.pid))
  for (;;) {
    try {
      writeFileSync(file, own, { flag: 'wx' })
      return {
        handTo: (holder) => writeFileSync(file, JSON.stringify(holder)),
        release: () => rmSync(file, { force: true }),
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const holder = lockHolder(file)
    if (holder) return { heldBy: holder }
    rmSync(file, { force: true })
  }
}

/** Who holds the lock; null when nobody does, or one that is gone. */
export function lockHolder(file: string): ProcessIdentity | null {
  try {
    const holder: ProcessIdentity = JSON.parse(readFileSync(file, 'utf8'))
    return Number.isInteger(holder?.pid) && isRunning(holder) ? holder : null
  } catch {
    return null // No file, or half of one: its writer was killed while writing.
  }
}
