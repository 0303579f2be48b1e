import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { systemClock } from '../../core/runtime/clock.ts'
import { type Checkpoint, fileCheckpoint } from '../import/checkpoint.ts'
import { type ImportReport, importAccessLog } from '../import/import-access-log.ts'
import { createLineIds, fileIdentity } from '../import/line-ids.ts'
import { type ReadProgress, readLogLines } from '../import/log-line-reader.ts'
import { eventsUrl } from '../ingest/dataset-keys.ts'
import { createPost } from '../ingest/http-post.ts'
import { numberOption } from '../ingest/number-option.ts'
import { createProgress, grouped } from '../ingest/progress.ts'
import { SEND_POLICY } from '../ingest/send-batch.ts'

interface ImportFlags {
  readonly url: string
  readonly dataset: string
  readonly key: string
  readonly site: string
  readonly identity?: string
  readonly again: boolean
  readonly batch: number
  readonly concurrency: number
  readonly lineBytesMax: number
  readonly stateDir: string
}

const REQUEST_TIMEOUT_MS = 30_000

/** `millrace import access-log FILE`: a web server's log as page views. */
export function registerImport(program: Command): void {
  program
    .command('import')
    .description('Bring in data that was collected before.')
    .command('access-log')
    .description('Import an nginx or Apache access log (combined format, plain or gzip). Twice adds nothing.')
    .argument('<file>', 'the log')
    .requiredOption('--url <address>', 'the collector, e.g. http://127.0.0.1:8080')
    .requiredOption('--dataset <id>', 'the dataset it goes to')
    .requiredOption('--key <key>', 'write key of that dataset')
    .requiredOption('--site <origin>', 'the site whose log it is, e.g. https://www.example.com')
    .option('--identity <name>', 'what tells this file from others (default: a hash of its first line)')
    .option('--again', 'send every line, also those that were acknowledged before', false)
    .option('--batch <n>', 'events per request', numberOption(1, 1_000), 200)
    .option('--concurrency <n>', 'requests under way at once', numberOption(1, 64), 4)
    .option('--line-bytes-max <n>', 'longer lines count as malformed', numberOption(100, 1_048_576), 16_384)
    .option('--state-dir <directory>', 'where it is kept how far an import got', '.millrace/import')
    .action(runImport)
}

async function runImport(path: string, flags: ImportFlags): Promise<void> {
  const url = eventsUrl(flags.url)
  const site = siteOrigin(flags.site)
  const bytes = statSync(path, { throwIfNoEntry: false })?.size
  if (bytes === undefined) throw new Error(`There is no file ${path}.`)
  const identity = flags.identity ?? (await identityOf(path, flags.lineBytesMax))
  if (identity === null) {
    process.stderr.write(`${path} is empty: nothing to import.\n`)
    return
  }
  const place = createHash('sha256').update([identity, flags.dataset, url.href].join('\0')).digest('hex')
  const checkpoint = fileCheckpoint(join(flags.stateDir, `${place.slice(0, 24)}.json`))
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)

  const progress = createProgress(process.stderr, systemClock.monotonic)
  const { post, close } = createPost(url, flags.concurrency, REQUEST_TIMEOUT_MS)
  const startMs = systemClock.monotonic()
  const read: ReadProgress = { bytesRead: 0 }
  let report: ImportReport
  try {
    report = await importAccessLog(
      {
        post,
        clock: systemClock,
        random: Math.random,
        signal: stop.signal,
        lines: () => {
          read.bytesRead = 0
          return readLogLines(path, flags.lineBytesMax, read)
        },
        ids: () => createLineIds(identity),
        checkpoint: flags.again ? { ...checkpoint, read: (): Checkpoint | null => null } : checkpoint,
      },
      { site, key: flags.key, batchEvents: flags.batch, concurrency: flags.concurrency, policy: SEND_POLICY },
      (live) => progress.update(() => bar(live, read.bytesRead, bytes, systemClock.monotonic() - startMs)),
    )
  } finally {
    close()
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
  progress.done(summary(report, systemClock.monotonic() - startMs))
  for (const { line, fault, beginning } of report.examples)
    process.stderr.write(`  line ${line}, ${fault}: ${JSON.stringify(beginning)}\n`)
  if (report.stopped !== null) {
    process.stderr.write(
      `Not finished: ${report.stopped}\nRun the same command again: it goes on from there.\n`,
    )
    process.exitCode = 1
  }
}

/** Null for an empty file. */
async function identityOf(path: string, lineBytesMax: number): Promise<string | null> {
  for await (const line of readLogLines(path, lineBytesMax)) return fileIdentity(line.bytes ?? line.beginning)
  return null
}

function siteOrigin(text: string): string {
  const withScheme = text.includes('://') ? text : `https://${text}`
  if (!URL.canParse(withScheme)) throw new Error('--site must be like https://www.example.com.')
  return new URL(withScheme).origin
}

const BAR_WIDTH = 24

/** `[=======>      ]  31 %  12,400 lines, 41,300/s, 0:12 left` */
function bar(report: ImportReport, bytesRead: number, bytes: number, elapsedMs: number): string {
  const share = bytes === 0 ? 1 : Math.min(bytesRead / bytes, 1)
  const filled = Math.round(share * BAR_WIDTH)
  const left = share > 0 ? (elapsedMs / share) * (1 - share) : 0
  const arrow = filled > 0 && filled < BAR_WIDTH ? '>' : ''
  const drawn = `${'='.repeat(Math.max(filled - arrow.length, 0))}${arrow}`.padEnd(BAR_WIDTH)
  return (
    `[${drawn}] ${String(Math.floor(share * 100)).padStart(3)} %  ${grouped(report.lines)} lines, ` +
    `${grouped((report.lines / Math.max(elapsedMs, 1)) * 1000)}/s, ${clockTime(left)} left`
  )
}

function clockTime(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

function summary(report: ImportReport, elapsedMs: number): string {
  const fresh = report.lines - report.resumedLines
  const before = report.resumedLines > 0 ? `${grouped(report.resumedLines)} lines were imported before, ` : ''
  const faults = Object.entries(report.malformedByFault).map(([fault, count]) => `${count} ${fault}`)
  return (
    `${before}${grouped(Math.max(fresh, 0))} lines read now in ${(elapsedMs / 1000).toFixed(1)} s. In all ` +
    `${grouped(report.accepted)} accepted, ${grouped(report.rejected)} rejected, ` +
    `${grouped(report.malformed)} malformed${faults.length > 0 ? ` (now: ${faults.join(', ')})` : ''}.` +
    `${report.startedOver ? ' The file had changed, so it was read from its first line.' : ''}`
  )
}
