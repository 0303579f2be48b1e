import { join } from 'node:path'
import type { ObjectStore } from '../../core/object-store/object-store.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { bucketContent } from './bucket-content.ts'
import { directoryContent } from './directory-content.ts'
import type { ExportContent } from './export-content.ts'

export interface ExportContentSettings {
  readonly exportStore: 'directory' | 'bucket'
  readonly exportDir: string
  readonly exportDirBytesMax: number
  readonly exportBytesMax: number
  readonly exportBucket: string | null
  readonly s3Bucket: string
}

/** Where the settings say that the files of exports lie. */
export function openExportContent(
  settings: ExportContentSettings,
  store: ObjectStore,
  clock: Pick<Clock, 'now'>,
): ExportContent {
  const bounds = { fileBytesMax: settings.exportBytesMax, bytesMax: settings.exportDirBytesMax }
  const directory = directoryContent(settings.exportDir, bounds, clock)
  if (settings.exportStore === 'directory') return directory
  const fileOf = (key: string) => join(settings.exportDir, key)
  return bucketContent(store, settings.exportBucket ?? settings.s3Bucket, directory, fileOf)
}
