import { randomUUID } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { ClickHouse, QuerySettings } from '../../core/clickhouse/clickhouse.ts'
import { type Bindings, createBindings } from './bindings.ts'
import { twiceOfDataset } from './dataset-filters.ts'
import { plannedAgain } from './plain-plan.ts'
import type { Question } from './question.ts'

/** What one answer without a row cap may cost: no rows and no bytes, but time and memory. */
export interface StreamLimits {
  /** From the first row read in ClickHouse to the last one taken by the client. */
  readonly streamSecondsMax: number
  readonly memoryBytesMax: number
}

/**
 * Rows of one statement as ClickHouse gives them. It stands still while nobody takes rows, and is cancelled when the
 * iteration ends early or the question's signal aborts.
 *
 * @param sqlOf makes the statement, binding every value on the way
 * @throws DependencyError of ClickHouse, also between two rows
 */
export type StreamRows = <T>(question: Question, sqlOf: (bindings: Bindings) => string) => AsyncGenerator<T>

export function createStreamRows(clickhouse: Pick<ClickHouse, 'stream'>, limits: StreamLimits): StreamRows {
  return async function* <T>(question: Question, sqlOf: (bindings: Bindings) => string) {
    const bindings = createBindings()
    const sql = `${sqlOf(bindings)} FORMAT JSONEachRow`
    const twice = twiceOfDataset(bindings, question)
    const run = (settings: QuerySettings) => {
      const queryId = `millrace-stream-${randomUUID()}`
      return clickhouse.stream(sql, bindings.parameters, {
        queryId,
        signal: question.signal,
        dataset: question.dataset.id,
        settings: {
          // Ids are not kept by the embedded engine, comments are.
          log_comment: queryId,
          max_execution_time: limits.streamSecondsMax,
          timeout_overflow_mode: 'throw',
          max_memory_usage: limits.memoryBytesMax,
          // What cannot be read in its order is sorted on disk, past half of the memory.
          max_bytes_before_external_sort: Math.floor(limits.memoryBytesMax / 2),
          output_format_json_quote_64bit_integers: 0,
          date_time_output_format: 'iso',
          ...twice,
          ...settings,
        },
      })
    }
    const source = await plannedAgain(run)
    // The client library ends its request by a signal, but not a stream that it has handed out.
    const cancel = () => source.destroy(question.signal.reason as Error)
    question.signal.addEventListener('abort', cancel)
    try {
      yield* rowsOf<T>(source)
    } finally {
      question.signal.removeEventListener('abort', cancel)
      source.destroy()
    }
  }
}

async function* rowsOf<T>(source: Readable): AsyncGenerator<T> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of source) {
    const lines = (rest + decoder.decode(chunk as Buffer, { stream: true })).split('\n')
    rest = lines.pop() as string
    for (const line of lines) yield JSON.parse(line) as T
  }
  if (rest !== '') throw new Error('ClickHouse ended its answer within a row.')
}
