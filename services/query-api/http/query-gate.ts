import { ApiError } from './api-error.ts'

/** Lets so many questions run at once, in all and per dataset. There is no queue: what does not fit is told so. */
export interface QueryGate {
  /** @throws ApiError 429 when a limit is reached */
  enter(dataset: string): { leave(): void }
  readonly running: number
}

export function createQueryGate(concurrentMax: number, concurrentPerDatasetMax: number): QueryGate {
  const perDataset = new Map<string, number>()
  let running = 0
  return {
    get running() {
      return running
    },
    enter(dataset) {
      const own = perDataset.get(dataset) ?? 0
      if (own >= concurrentPerDatasetMax)
        throw throttled(
          `This dataset has ${own} questions running, which is its limit. Expected available in 1 second.`,
        )
      if (running >= concurrentMax)
        throw throttled(
          'The query API has as many questions running as it may. Expected available in 1 second.',
        )
      running++
      perDataset.set(dataset, own + 1)
      let left = false
      return {
        leave() {
          if (left) return
          left = true
          running--
          const remaining = (perDataset.get(dataset) ?? 1) - 1
          if (remaining === 0) perDataset.delete(dataset)
          else perDataset.set(dataset, remaining)
        },
      }
    },
  }
}

function throttled(detail: string): ApiError {
  return new ApiError(
    429,
    { type: 'throttled_error', code: 'throttled', detail, attr: null },
    { 'retry-after': '1' },
  )
}
