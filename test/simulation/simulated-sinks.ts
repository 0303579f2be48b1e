import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import type { ObjectStore } from '../../services/core/object-store/object-store.ts'
import { DependencyError } from '../../services/core/runtime/errors.ts'
import type { Disk } from '../../services/s3-sink/disk.ts'
import type { TableEncoder } from '../../services/s3-sink/table-encoder.ts'
import type { MemoryDisk } from '../helpers/memory-disk.ts'
import type { MemoryObjectStore } from '../helpers/memory-object-store.ts'
import type { InsertFate, memoryWarehouse } from '../services/clickhouse-sink/memory-warehouse.ts'
import type { Kernel } from './kernel.ts'
import type { CallErrors, Faults, SimulatedProcess } from './process.ts'

const STORE: CallErrors = { dependency: 's3', lost: 'unavailable', lostAnswer: 'timeout' }
const DISK: CallErrors = { dependency: 'disk', lost: 'read_only', lostAnswer: 'unavailable' }
const WAREHOUSE: CallErrors = { dependency: 'clickhouse', lost: 'unavailable', lostAnswer: 'timeout' }

/** The object store as one process sees it; files are those of its own disk. */
export function processStore(
  process: SimulatedProcess,
  store: MemoryObjectStore,
  disk: MemoryDisk,
): ObjectStore {
  return {
    putIfAbsent: (bucket, key, body, options) => {
      const bytes = 'bytes' in body ? body.bytes : (disk.files.get(body.file) ?? Buffer.alloc(0))
      return process.call(`put ${key}`, STORE, () => store.putIfAbsent(bucket, key, { bytes }, options))
    },
    head: (bucket, key) => process.call(`head ${key}`, STORE, () => store.head(bucket, key)),
    get: (bucket, key, range) => process.call(`get ${key}`, STORE, () => store.get(bucket, key, range)),
    download: () => Promise.reject(new Error('No stage downloads.')),
    async *list(bucket, prefix, startAfter) {
      yield* await process.call(`list ${prefix}`, STORE, () =>
        Array.fromAsync(store.list(bucket, prefix, startAfter)),
      )
    },
    delete: () => Promise.reject(new Error('No stage deletes objects.')),
    createBucket: () => Promise.reject(new Error('No stage makes buckets.')),
    close: () => {},
  }
}

/** Share of writes that the disk cuts short. */
const TORN_WRITES = 0.002

/** What a process leaves on its disk when it is killed: some files whole, some in part. */
export function tear({ files }: MemoryDisk, kernel: Kernel): void {
  for (const [file, bytes] of files)
    if (kernel.chance(0.5)) files.set(file, bytes.subarray(0, Math.floor(kernel.random() * bytes.length)))
}

/** The disk as its process sees it; now and then it is full, also in the middle of a write. */
export function processDisk(
  kernel: Kernel,
  process: SimulatedProcess,
  disk: MemoryDisk,
  faults: Readonly<Faults>,
): Disk {
  return {
    ...disk,
    write: (file, at, bytes) =>
      process.call(`write ${file}`, DISK, async () => {
        if (!kernel.chance(faults.loss > 0 ? TORN_WRITES : 0)) return disk.write(file, at, bytes)
        await disk.write(file, at, bytes.subarray(0, Math.floor(kernel.random() * bytes.length)))
        throw new DependencyError('disk', 'read_only', `${file} was written in part.`)
      }),
    compress: (chunks, codec, to) =>
      process.call(`compress ${to}`, DISK, () => disk.compress(chunks, codec, to)),
  }
}

/** Stands in for DuckDB: the rows as they are, under a name that tells the version. */
export function memoryEncoder(disk: MemoryDisk, version: number): TableEncoder {
  return {
    id: `memory-encoder-${version}`,
    async encode(from, rows, _fields, _format, to) {
      const lines = (disk.files.get(from) ?? Buffer.alloc(0)).toString().trimEnd().split('\n')
      if (lines.length !== rows) return `${rows} rows were given, ${lines.length} came out.`
      try {
        for (const line of lines) JSON.parse(line)
      } catch (error) {
        return (error as Error).message
      }
      // Another version writes other bytes of the same rows.
      disk.files.set(to, Buffer.from(`${lines.join('\n')}\n${' '.repeat(version)}`))
      return null
    },
    close: () => {},
  }
}

const FATES: readonly InsertFate[] = ['lost', 'answer_lost', 'token_without_rows', 'half', 'still_running']

/** Share of inserts that come to harm and take the sinks with them for long. */
const LONG_OUTAGES = 0.2

/**
 * The warehouse as one process sees it.
 *
 * @param outage every sink ends, and comes back when what its group knew has expired
 */
export function processWarehouse(
  kernel: Kernel,
  process: SimulatedProcess,
  warehouse: ReturnType<typeof memoryWarehouse>,
  faults: Readonly<Faults>,
  outage: () => void,
): ClickHouse {
  const { clickhouse } = warehouse
  return {
    insert: (table, format, body, settings, options) =>
      process.call(`insert into ${table} as ${settings.insert_deduplication_token}`, WAREHOUSE, () => {
        if (kernel.chance(faults.lostAnswer)) {
          const fate = FATES[Math.floor(kernel.random() * FATES.length)] as InsertFate
          kernel.note(`an insert meets its fate: ${fate}`)
          warehouse.fates.push(fate)
          if (fate !== 'lost' && kernel.chance(LONG_OUTAGES)) kernel.at(0, outage)
        }
        return clickhouse.insert(table, format, body, settings, options)
      }),
    query: (sql, parameters, options) =>
      process.call('query', WAREHOUSE, () => clickhouse.query(sql, parameters, options)) as Promise<never>,
    command: (sql, parameters) =>
      process.call('kill query', WAREHOUSE, () => clickhouse.command(sql, parameters)),
    stream: () => Promise.reject(new Error('The sink streams nothing.')),
    ping: () => process.call('ping', WAREHOUSE, () => clickhouse.ping()),
    close: async () => {},
  }
}
