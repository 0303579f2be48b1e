import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type BenchContext, openBenchContext } from './bench-context.ts'
import { type BenchReport, type BenchRow, type QuestionRow, renderReport } from './report.ts'
import { benchAnalytics } from './rows-analytics.ts'
import { benchCollector } from './rows-collector.ts'
import { benchClickHouseSink, benchEnricher, benchRouter, benchS3Sink } from './rows-consuming.ts'
import { benchEndToEnd } from './rows-end-to-end.ts'

/** What the others work on. */
const FILLING = ['collector', 'enricher']

/**
 * `make bench [ONLY=stage] [EVENTS=10000000]`: measures every stage on this machine, on real engines, each as a process of
 * its own, and writes `test/bench/latest.json`. Each row works on what the row before left in the topics. Times on a shared machine are
 * noisy: compare ratios within one run, and CPU rather than time.
 */
const ROWS: Readonly<Record<string, (context: BenchContext) => Promise<readonly BenchRow[]>>> = {
  collector: benchCollector,
  enricher: benchEnricher,
  router: benchRouter,
  s3: benchS3Sink,
  clickhouse: benchClickHouseSink,
  'end-to-end': benchEndToEnd,
}
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { events: { type: 'string', default: '10000000' } },
})
/** Named as arguments: only these, stages after the two that fill the topics. Questions need no topic. */
const wanted = new Set(positionals)
if (positionals.some((name) => Object.hasOwn(ROWS, name))) for (const name of FILLING) wanted.add(name)
const isWanted = (name: string) => wanted.size === 0 || wanted.has(name)

const latestFile = join(import.meta.dirname, 'latest.json')
const baselineFile = join(import.meta.dirname, 'baseline.json')

const stateDir = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
const context = await openBenchContext(stateDir, (text) => process.stderr.write(`${text}\n`))
const rows: BenchRow[] = []
const questions: QuestionRow[] = []
try {
  for (const [name, measure] of Object.entries(ROWS))
    if (isWanted(name)) rows.push(...(await measure(context)))
  if (isWanted('analytics')) questions.push(...(await benchAnalytics(context, Number(values.events))))
} finally {
  await context.close()
  rmSync(stateDir, { recursive: true, force: true })
}
const report: BenchReport = {
  machine: {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    node: process.versions.node,
  },
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    encoding: 'utf8',
    cwd: import.meta.dirname,
  }).trim(),
  rows,
  questions,
}
writeFileSync(latestFile, `${JSON.stringify(report, null, 2)}\n`)
const baseline = existsSync(baselineFile)
  ? (JSON.parse(readFileSync(baselineFile, 'utf8')) as BenchReport)
  : null
process.stdout.write(renderReport(report, baseline))
