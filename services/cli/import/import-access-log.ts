import { createHash } from 'node:crypto'
import { type BatchOutcome, type SendEnvironment, type SendPolicy, sendBatch } from '../ingest/send-batch.ts'
import { type LineFault, parseAccessLogLine } from './access-log-line.ts'
import type { Checkpoint, CheckpointStore } from './checkpoint.ts'
import type { LineIds } from './line-ids.ts'
import { logLineEvent } from './log-line-event.ts'
import type { LogLine } from './log-line-reader.ts'

export interface ImportOptions {
  readonly site: string
  readonly key: string
  readonly batchEvents: number
  readonly concurrency: number
  readonly policy: SendPolicy
}

export interface ImportEnvironment extends SendEnvironment {
  /** The file's lines from its beginning; called again when a checkpoint turns out to be of another file. */
  readonly lines: () => AsyncIterable<LogLine>
  /** Fresh ids, counting from the beginning of the file. */
  readonly ids: () => LineIds
  readonly checkpoint: CheckpointStore
}

export interface ImportReport {
  /** Lines read, those of earlier imports included. */
  lines: number
  /** Lines that an earlier import had finished with. */
  resumedLines: number
  accepted: number
  rejected: number
  malformed: number
  malformedByFault: Partial<Record<LineFault, number>>
  /** The first few lines that are not used, with their numbers from 1. */
  examples: { readonly line: number; readonly fault: LineFault; readonly beginning: string }[]
  /** Why it ended early; null when the whole file is acknowledged. */
  stopped: string | null
  /** The checkpoint belonged to other content, so everything was read from the first line. */
  startedOver: boolean
}

const EXAMPLES_KEPT = 5
const CHECKPOINT_EVERY_MS = 500

/** A request's worth of lines, and the checkpoint that holds once it and all before it are acknowledged. */
interface Batch {
  readonly json: string[]
  readonly linesEnd: number
  readonly digest: string
  readonly malformed: number
}

/**
 * Imports a whole log. Requests may overlap, but the checkpoint moves only over what is acknowledged without a gap,
 * so an import that is interrupted at any moment goes on where it must. It ends early at a request that was refused
 * or stayed unknown, and when the signal aborts; run it again to go on.
 *
 * @param onProgress told often; the report is live
 */
export async function importAccessLog(
  env: ImportEnvironment,
  options: ImportOptions,
  onProgress: (report: ImportReport) => void,
): Promise<ImportReport> {
  const found = env.checkpoint.read()
  const report = await importFrom(env, options, found, onProgress)
  if (report !== null) return report
  const again = await importFrom(env, options, null, onProgress)
  return { ...(again as ImportReport), startedOver: true }
}

/** Null when the checkpoint is not of this file. */
async function importFrom(
  env: ImportEnvironment,
  options: ImportOptions,
  from: Checkpoint | null,
  onProgress: (report: ImportReport) => void,
): Promise<ImportReport | null> {
  const report: ImportReport = {
    lines: 0,
    resumedLines: from?.lines ?? 0,
    accepted: from?.accepted ?? 0,
    rejected: from?.rejected ?? 0,
    malformed: from?.malformed ?? 0,
    malformedByFault: {},
    examples: [],
    stopped: null,
    startedOver: false,
  }
  const ids = env.ids()
  const digest = createHash('sha256')
  const digestNow = () => digest.copy().digest('hex')
  const lane = createLane(env, options, report, from)
  let json: string[] = []
  let unterminated = false
  const flush = async () => {
    const linesEnd = report.lines - (unterminated ? 1 : 0)
    const batch = {
      json,
      linesEnd,
      digest: digestNow(),
      malformed: report.malformed,
    }
    json = []
    await lane.send(batch)
  }

  for await (const line of env.lines()) {
    if (env.signal.aborted || report.stopped !== null) break
    const id = ids.next(line.bytes ?? line.beginning)
    if (from !== null && report.lines === from.lines && digestNow() !== from.digest) return null
    report.lines++
    unterminated = !line.terminated
    // A last line that is still being written is not part of the checkpoint: next time it is read whole.
    if (line.terminated) digest.update(line.bytes ?? line.beginning).update('\n')
    if (from !== null && report.lines <= from.lines) continue
    const parsed = line.bytes === null ? 'too_long' : parseAccessLogLine(line.bytes)
    if (typeof parsed === 'string') {
      report.malformed++
      report.malformedByFault[parsed] = (report.malformedByFault[parsed] ?? 0) + 1
      if (report.examples.length < EXAMPLES_KEPT)
        report.examples.push({
          line: report.lines,
          fault: parsed,
          beginning: line.beginning.toString('utf8'),
        })
    } else {
      json.push(JSON.stringify({ event_id: id, ...logLineEvent(parsed, options.site) }))
    }
    if (json.length >= options.batchEvents) await flush()
    onProgress(report)
  }
  const isShorter = from !== null && report.lines < from.lines
  const isOther = from !== null && report.lines === from.lines && digestNow() !== from.digest
  if ((isShorter || isOther) && !env.signal.aborted) return null
  if (!env.signal.aborted && report.stopped === null) await flush()
  await lane.drain()
  if (env.signal.aborted) report.stopped ??= 'It was interrupted.'
  return report
}

/** Sends batches side by side and moves the checkpoint over those that are acknowledged without a gap. */
function createLane(
  env: ImportEnvironment,
  options: ImportOptions,
  report: ImportReport,
  from: Checkpoint | null,
) {
  const underWay = new Map<number, Promise<void>>()
  const acknowledged = new Map<number, { batch: Batch; outcome: BatchOutcome }>()
  let nextNumber = 0
  let settled = 0
  let standing: Checkpoint | null = from
  let writtenMs = Number.NEGATIVE_INFINITY

  function settle(): void {
    for (let done = acknowledged.get(settled); done; done = acknowledged.get(settled)) {
      acknowledged.delete(settled++)
      const { batch, outcome } = done
      standing = {
        v: 1,
        lines: batch.linesEnd,
        digest: batch.digest,
        accepted: (standing?.accepted ?? 0) + outcome.accepted,
        rejected: (standing?.rejected ?? 0) + batch.json.length - outcome.accepted,
        malformed: batch.malformed,
      }
    }
    if (env.clock.monotonic() - writtenMs >= CHECKPOINT_EVERY_MS) write()
  }
  function write(): void {
    if (standing === null) return
    env.checkpoint.write(standing)
    writtenMs = env.clock.monotonic()
  }
  async function run(number: number, batch: Batch): Promise<void> {
    let outcome: BatchOutcome = EMPTY
    if (batch.json.length > 0) {
      // No Idempotency-Key: every event brings its id, and another batch size makes other requests of the same lines.
      const headers = { authorization: `Bearer ${options.key}`, 'x-millrace-protocol': 'access_log' }
      const body = `{"batch":[${batch.json.join(',')}]}`
      outcome = await sendBatch(env, options.policy, body, headers, batch.json.length)
    }
    underWay.delete(number)
    if (outcome.kind !== 'acknowledged') {
      report.stopped ??= outcome.detail || 'It was interrupted.'
      return
    }
    report.accepted += outcome.accepted
    report.rejected += batch.json.length - outcome.accepted
    acknowledged.set(number, { batch, outcome })
    settle()
  }
  return {
    /** Waits while as many requests as allowed are under way. */
    async send(batch: Batch): Promise<void> {
      while (underWay.size >= options.concurrency) await Promise.race(underWay.values())
      const number = nextNumber++
      underWay.set(number, run(number, batch))
    },
    async drain(): Promise<void> {
      await Promise.all(underWay.values())
      write()
    },
  }
}

const EMPTY: BatchOutcome = {
  kind: 'acknowledged',
  accepted: 0,
  rejected: {},
  triesUnknown: 0,
  triesNotTaken: 0,
  detail: '',
}
