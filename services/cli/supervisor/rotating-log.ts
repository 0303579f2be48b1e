import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

export interface RotatingLog {
  write(bytes: Uint8Array): void
  close(): void
}

/**
 * Appends to a file; where it would grow past `bytesMax` it is set aside as `<file>.1`, and the one set aside before
 * is dropped: at most twice `bytesMax` per log.
 */
export function openRotatingLog(file: string, bytesMax: number): RotatingLog {
  mkdirSync(dirname(file), { recursive: true })
  let fd = openSync(file, 'a')
  let size = fstatSync(fd).size
  return {
    write(bytes) {
      if (size > 0 && size + bytes.length > bytesMax) {
        closeSync(fd)
        renameSync(file, `${file}.1`)
        fd = openSync(file, 'a')
        size = 0
      }
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
      size += bytes.length
    },
    close: () => closeSync(fd),
  }
}
