import type { Dataset } from '../../schemas/control/v1.ts'
import type { Quota } from './admission.ts'

export interface QuotaDefaults {
  readonly datasetEventsPerSecond: number | null
  readonly datasetBytesPerSecond: number | null
}

/** A dataset's own quota, else what the settings say for all. */
export function quotaOf(dataset: Dataset | undefined, defaults: QuotaDefaults): Quota {
  return {
    eventsPerSecond: dataset?.quota?.events_per_second ?? defaults.datasetEventsPerSecond,
    bytesPerSecond: dataset?.quota?.bytes_per_second ?? defaults.datasetBytesPerSecond,
  }
}
