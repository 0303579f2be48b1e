import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

/** What a process suffers from without being killed. */
export interface Hurt {
  /** Its wall clock is wrong by `shiftMs`, and runs `rate` times as fast since `sinceMs` (epoch ms). */
  readonly clock?: { readonly shiftMs: number; readonly rate: number; readonly sinceMs: number } | undefined
  /** Syncs of files fail with EIO; what they were to make safe is gone from the disk, and the next one succeeds. */
  readonly syncFails?: boolean
}

/** The variable that names the file which says what a process suffers from. */
export const HURT_FILE = 'MILLRACE_CHAOS_HURT_FILE'
const LOOK_MS = 200

/** Told to the process within {@link LOOK_MS}, and to those that are started in its place. */
export function writeHurt(file: string, hurt: Hurt): void {
  writeFileSync(`${file}.new`, JSON.stringify(hurt))
  renameSync(`${file}.new`, file)
}

function readHurt(file: string): Hurt {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Hurt
  } catch {
    return {} // Nobody was hurt yet.
  }
}

/** Puts a clock of ours in place of `Date`. Timers and `performance` are left alone: they are what must not jump. */
export function replaceDate(hurt: () => Hurt): void {
  const Real = Date
  const now = (): number => {
    const real = Real.now()
    const { clock } = hurt()
    return clock === undefined
      ? real
      : Math.round(real + clock.shiftMs + (real - clock.sinceMs) * (clock.rate - 1))
  }
  globalThis.Date = new Proxy(Real, {
    construct: (target, given, made) => Reflect.construct(target, given.length === 0 ? [now()] : given, made),
    apply: () => new Real(now()).toString(),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  })
}

/**
 * Makes syncs fail as a kernel does: it gives up what it could not write, says so once, and thinks no more of it. Who
 * writes a file makes it and calls `datasync`; a `sync`, of a directory or of what was written before, loses nothing.
 */
export async function replaceSync(hurt: () => Hurt): Promise<void> {
  const some = await open(import.meta.filename)
  await some.close()
  const handles = Object.getPrototypeOf(some) as Pick<FileHandle, 'sync' | 'datasync'>
  const { sync, datasync } = handles
  /** Bytes of a file that are safe. */
  const safe = new WeakMap<FileHandle, number>()
  handles.sync = async function (this: FileHandle) {
    if (hurt().syncFails) throw ioError('fsync')
    await sync.call(this)
  }
  handles.datasync = async function (this: FileHandle) {
    const { size } = await this.stat()
    if (!hurt().syncFails) {
      await datasync.call(this)
      safe.set(this, size)
      return
    }
    const from = safe.get(this) ?? 0
    await this.write(Buffer.alloc(size - from), 0, null, from)
    throw ioError('fdatasync')
  }
}

function ioError(syscall: string): Error {
  return Object.assign(new Error(`EIO: i/o error, ${syscall}`), { code: 'EIO', errno: -5, syscall })
}

const file = process.env[HURT_FILE]
if (file !== undefined) {
  let hurt = readHurt(file)
  setInterval(() => {
    hurt = readHurt(file)
  }, LOOK_MS).unref()
  replaceDate(() => hurt)
  await replaceSync(() => hurt)
}
