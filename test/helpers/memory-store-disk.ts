import type { StoreDisk } from '../../services/collector/store/store-disk.ts'
import { DependencyError } from '../../services/core/runtime/errors.ts'

export interface MemoryStoreDisk extends StoreDisk {
  /** What lies there; tests may change it. */
  readonly files: Map<string, Buffer>
  /** Called as every operation starts; what it throws is what the operation rejects with. */
  onCall: (operation: keyof StoreDisk | 'append' | 'sync', name: string) => Promise<void> | void
  /** How often files were synced. */
  readonly syncs: number
  /**
   * The power goes: of what was not synced, `keep` decides how many bytes stay. The disk is then as a new process
   * finds it; writers of before are gone.
   */
  cutPower(keep: (unsyncedBytes: number) => number): void
}

/** A directory in memory. */
export function createMemoryStoreDisk(): MemoryStoreDisk {
  const files = new Map<string, Buffer>()
  /** Bytes of each file that a power cut leaves. */
  const synced = new Map<string, number>()
  let syncs = 0
  let power = 0
  const content = (name: string): Buffer => {
    const found = files.get(name)
    if (!found) throw new DependencyError('disk', 'not_found', `There is no ${name}.`)
    return found
  }
  const disk: MemoryStoreDisk = {
    files,
    onCall: () => {},
    get syncs() {
      return syncs
    },
    cutPower(keep) {
      power++
      for (const [name, bytes] of files) {
        const safe = synced.get(name) ?? bytes.length
        if (safe < bytes.length) files.set(name, bytes.subarray(0, safe + keep(bytes.length - safe)))
      }
      synced.clear()
    },
    async list() {
      await disk.onCall('list', '')
      return [...files].map(([name, { length }]) => ({ name, bytes: length }))
    },
    async create(name) {
      await disk.onCall('create', name)
      if (files.has(name)) throw new DependencyError('disk', 'unavailable', `${name} is there already.`)
      files.set(name, Buffer.alloc(0))
      synced.set(name, 0)
      const since = power
      const whileOn = () => {
        if (power !== since) throw new DependencyError('disk', 'unavailable', 'The power is gone.')
      }
      return {
        async append(bytes) {
          await disk.onCall('append', name)
          whileOn()
          files.set(name, Buffer.concat([content(name), bytes]))
        },
        async sync() {
          const { length } = content(name)
          await disk.onCall('sync', name)
          whileOn()
          syncs++
          synced.set(name, length)
        },
        async close() {},
      }
    },
    async read(name, at, length) {
      await disk.onCall('read', name)
      return Buffer.from(content(name).subarray(at, at + length))
    },
    async truncate(name, bytes) {
      await disk.onCall('truncate', name)
      files.set(name, content(name).subarray(0, bytes))
      synced.set(name, bytes)
    },
    async rename(name, to) {
      await disk.onCall('rename', name)
      files.set(to, content(name))
      files.delete(name)
    },
    async remove(name) {
      await disk.onCall('remove', name)
      files.delete(name)
    },
    async replace(name, bytes) {
      await disk.onCall('replace', name)
      files.set(name, Buffer.from(bytes))
    },
    async close() {},
  }
  return disk
}
