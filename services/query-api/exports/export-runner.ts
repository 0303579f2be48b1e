import { Readable } from 'node:stream'
import type { ControlView } from '../../core/control/control-view.ts'
import type { ExportRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import { ApiError } from '../http/api-error.ts'
import { knownError } from '../http/error-answer.ts'
import type { Answer } from '../http/route.ts'
import { zoneOf } from '../query/question.ts'
import { contentKey, type ExportContent, ExportTooLarge, removeContents } from './export-content.ts'
import { type ExportSource, type ExportSources, queryOf } from './export-source.ts'
import { ATTEMPTS_MAX, type ExportOutcome, type ExportStore } from './export-store.ts'

/** Pause between two looks for work, ms. */
const LOOK_EVERY_MS = 1_000
/** Pause between two looks for what has expired, ms. */
const SWEEP_EVERY_MS = 60_000
/** Exports that one look removes. */
const SWEEP_MAX = 100
const HOST = 'http://export.invalid'

export interface ExportOptions {
  readonly content: ExportContent
  /** Exports that this process makes at the same time. */
  readonly concurrentMax: number
  /** Whoever holds an export says so every third of this; a process that was killed is known to be gone after it. */
  readonly leaseMs: number
}

export interface ExportNeeds extends ExportOptions {
  readonly store: ExportStore
  readonly sources: ExportSources
  readonly control: Pick<ControlView, 'snapshot'>
  readonly clock: Clock
  readonly logger: Logger
}

export interface ExportRunner {
  /** Makes exports and removes expired ones until told to stop; what is under way then is given back. Never rejects. */
  run(stopping: AbortSignal): Promise<void>
}

export function createExportRunner(needs: ExportNeeds): ExportRunner {
  const { store, content, clock, logger, leaseMs } = needs

  async function makeNext(stopping: AbortSignal): Promise<boolean> {
    const nowMs = clock.now()
    const claim = await store.claim(nowMs, nowMs + leaseMs)
    if (claim === null) return false
    const lost = new AbortController()
    const ended = new AbortController()
    const holding = hold(claim, lost, ended.signal)
    try {
      const outcome = await outcomeOf(needs, claim, AbortSignal.any([stopping, lost.signal]), stopping)
      // Nobody hears of a claim that was lost; whoever has it now makes a file of its own.
      if (!(await store.settle(claim, outcome)) || outcome.status !== 'completed')
        await content.remove(contentKey(claim, claim.attempts))
    } finally {
      ended.abort()
      await holding
    }
    return true
  }

  async function hold(claim: ExportRow, lost: AbortController, ended: AbortSignal): Promise<void> {
    let untilMs = clock.monotonic() + leaseMs
    while (!ended.aborted) {
      await clock.sleep(leaseMs / 3, ended)
      if (ended.aborted) return
      try {
        const startedMs = clock.monotonic()
        if (!(await store.renew(claim, clock.now() + leaseMs))) return lost.abort()
        untilMs = startedMs + leaseMs
      } catch (error) {
        if (!isDependencyError(error)) throw error
        if (clock.monotonic() > untilMs) return lost.abort()
      }
    }
  }

  async function sweep(): Promise<void> {
    for (const row of await store.expired(clock.now(), SWEEP_MAX)) {
      await removeContents(content, row, row.attempts)
      await store.remove(row.dataset_id, row.id)
    }
  }

  async function again(everyMs: number, stopping: AbortSignal, step: () => Promise<boolean>): Promise<void> {
    while (!stopping.aborted) {
      let goOn = false
      try {
        goOn = await step()
      } catch (error) {
        if (!isDependencyError(error)) throw error
        logger.warn({ err: error }, 'Exports wait for what they depend on.')
      }
      if (!goOn) await clock.sleep(everyMs, stopping)
    }
  }

  return {
    async run(stopping) {
      const makers = Array.from({ length: needs.concurrentMax }, () =>
        again(LOOK_EVERY_MS, stopping, () => makeNext(stopping)),
      )
      const sweeper = again(SWEEP_EVERY_MS, stopping, async () => {
        await sweep()
        return false
      })
      await Promise.all([...makers, sweeper])
    },
  }
}

/** Makes the file. What comes of it is a value; a bug of ours ends the export and stands in the log. */
async function outcomeOf(
  needs: ExportNeeds,
  claim: ExportRow,
  signal: AbortSignal,
  stopping: AbortSignal,
): Promise<ExportOutcome> {
  const { clock, logger } = needs
  const none = { row_count: null, byte_count: null }
  const failed = (error: string): ExportOutcome => ({
    ...none,
    status: 'failed',
    error,
    finished_at: clock.now(),
  })
  const givenBack: ExportOutcome = { ...none, status: 'pending', error: null, finished_at: null }
  try {
    // Its attempts may each have ended a process.
    if (claim.attempts > ATTEMPTS_MAX) return failed(`It was begun ${ATTEMPTS_MAX} times and never ended.`)
    for (let attempt = 1; attempt < claim.attempts; attempt++)
      await needs.content.remove(contentKey(claim, attempt))
    const answer = await answerOf(needs, claim, signal)
    const bytes = await needs.content.write(
      contentKey(claim, claim.attempts),
      claim.media_type,
      piecesOf(answer),
    )
    return {
      status: 'completed',
      row_count: answer.written?.rows ?? null,
      byte_count: bytes,
      error: null,
      finished_at: clock.now(),
    }
  } catch (error) {
    if (signal.aborted) return givenBack
    if (error instanceof ExportTooLarge) return failed(error.message)
    if (isDependencyError(error) && error.retriable && error.dependency !== 'disk') {
      if (claim.attempts < ATTEMPTS_MAX) {
        logger.warn({ err: error, export: claim.id, dataset: claim.dataset_id }, 'An export is made again.')
        await clock.sleep(LOOK_EVERY_MS, stopping)
        return givenBack
      }
    }
    const known = isDependencyError(error) && error.dependency === 'disk' ? error.message : knownError(error)
    if (typeof known === 'string') return failed(known)
    if (known instanceof ApiError) return failed(known.body.detail)
    logger.error({ err: error, export: claim.id, dataset: claim.dataset_id }, 'An export failed.')
    return failed('Something went wrong here. Give the number of this export to whoever runs this.')
  }
}

async function answerOf(needs: ExportNeeds, claim: ExportRow, signal: AbortSignal): Promise<Answer> {
  const found = needs.sources.find(JSON.parse(claim.source) as ExportSource)
  const dataset = needs.control.snapshot.datasets.get(claim.dataset_id)?.object
  if (found === null || dataset === undefined)
    throw new ApiError(400, {
      type: 'validation_error',
      code: 'invalid_input',
      detail: dataset === undefined ? 'Its dataset is gone.' : 'This version cannot export that.',
      attr: null,
    })
  const { route, params, source } = found
  const scope = `${route.access.object}:${route.access.action}` as const
  const rights = { scopes: [scope], datasets: [dataset.id] }
  return route.answer({
    query: queryOf(found, claim.media_type === 'text/csv' ? 'csv' : 'json'),
    params: { ...params, dataset: dataset.id },
    body: undefined,
    url: new URL(`/api/datasets/${dataset.id}/${source.path}`, source.origin ?? HOST),
    // Whoever asked for the export had this right then.
    principal: { name: claim.created_by, rights, grants: rights },
    question: { dataset, zone: zoneOf(dataset), signal },
    gone: signal,
  })
}

function piecesOf({ body }: Answer): AsyncIterable<string | Uint8Array> {
  if (body instanceof Readable) return body
  return Readable.from([typeof body === 'string' ? body : JSON.stringify(body)])
}
