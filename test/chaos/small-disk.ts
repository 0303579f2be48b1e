import { spawn } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** A file system of its own, of few bytes, that is there until it is closed whoever dies meanwhile. */
export interface SmallDisk {
  readonly path: string
  /** Takes what is free but for so many bytes. */
  fill(leftBytes: number): void
  /** Gives back what `fill` took. */
  empty(): void
  /** @returns false when somebody has a file open for writing: then it stays as it is */
  setReadOnly(readOnly: boolean): Promise<boolean>
  close(): Promise<void>
}

/**
 * Mounts a tmpfs in a mount namespace of its own, which needs no root. A process that does nothing else holds the
 * namespace, and everybody reaches into it through /proc: so the disk outlives the stages that are killed on it, which
 * one in a stage's own namespace would not. A full tmpfs is full as any disk is (ENOSPC, and EROFS once it is mounted
 * anew); that a sync fails it cannot show, see `hurt-process.ts`.
 *
 * @param mountPoint made if it is not there; stays empty for all but the holder
 * @returns null where that is not possible: not Linux, or user namespaces are off
 */
export async function openSmallDisk(mountPoint: string, bytes: number): Promise<SmallDisk | null> {
  mkdirSync(mountPoint, { recursive: true })
  const holder = spawn(
    'unshare',
    [
      '--user',
      '--map-root-user',
      '--mount',
      'sh',
      '-c',
      'mount -t tmpfs -o "size=$2" none "$1" && echo 0 && while read -r options; do mount -o "$options" "$1" 2>/dev/null; echo $?; done',
      'sh',
      mountPoint,
      String(bytes),
    ],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  )
  const exited = new Promise<void>((resolve) => {
    holder.once('error', () => resolve())
    holder.once('exit', () => resolve())
  })
  const endWithUs = () => void holder.kill()
  process.once('exit', endWithUs)
  const answers = createInterface({ input: holder.stdout })[Symbol.asyncIterator]()
  const succeeded = async () => (await answers.next()).value === '0'
  const close = async () => {
    holder.stdin.destroy()
    await exited
    process.removeListener('exit', endWithUs)
  }
  if (!(await succeeded())) {
    await close()
    return null
  }
  const path = join(`/proc/${holder.pid}/root`, mountPoint)
  const filler = join(path, 'filler')
  return {
    path,
    fill(leftBytes) {
      const { bavail, bsize } = statfsSync(path)
      try {
        writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - leftBytes)))
      } catch (error) {
        // Somebody was quicker; full is full.
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    },
    empty: () => rmSync(filler, { force: true }),
    async setReadOnly(readOnly) {
      holder.stdin.write(`remount,${readOnly ? 'ro' : 'rw'}\n`)
      return succeeded()
    },
    close,
  }
}
