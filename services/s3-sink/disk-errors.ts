import { DependencyError } from '../core/runtime/errors.ts'

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EROFS'])
const PASSING = new Set(['EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'])

/** Runs disk work; what the disk refuses comes out as a DependencyError, anything else unchanged. */
export async function onDisk<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException | null)?.code ?? ''
    if (FULL.has(code))
      throw new DependencyError('disk', 'read_only', `${what}: the disk takes no writes (${code}).`, error)
    if (PASSING.has(code)) throw new DependencyError('disk', 'unavailable', `${what}: ${code}.`, error)
    throw error
  }
}
