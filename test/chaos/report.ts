import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { AWAY_MS } from './catch-up.ts'
import type { ChaosResult } from './chaos-result.ts'
import { CHAOS_STAGES } from './chaos-system.ts'
import { renderMatrix } from './fault-matrix.ts'
import { FAIL_POINTS, FAULTS } from './faults.ts'
import { percentile, type Recovery } from './recovery.ts'
import { isBalanced } from './verdict.ts'

/** Results lie beside the code, so that whoever doubts a figure finds its runs. */
const KEPT = join(import.meta.dirname, 'results')

function namesIn(dir: string): readonly string[] {
  if (!existsSync(dir)) return []
  return readdirSync(dir)
    .filter((name) => /^result-.*\.json$/.test(name))
    .sort()
}

/** Every result that lies in a directory; files that are none are passed over. */
export function readResults(dir: string): readonly ChaosResult[] {
  return namesIn(dir).map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as ChaosResult)
}

/** Copies the results of `from` that `to` does not have. @returns how many there were */
export function keepResults(from: string, to: string): number {
  const kept = new Set(namesIn(to))
  const fresh = namesIn(from).filter((name) => !kept.has(name))
  mkdirSync(to, { recursive: true })
  for (const name of fresh) copyFileSync(join(from, name), join(to, name))
  return fresh.length
}

/** All runs together, as Markdown. */
export function renderReport(results: readonly ChaosResult[]): string {
  const figures = addUp(results.map((result) => result.figures))
  const inflicted = addUp(results.map((result) => result.faults))
  const sum = (of: (result: ChaosResult) => number) => results.reduce((total, each) => total + of(each), 0)
  const kills = Object.entries(figures).filter(([name]) => name.startsWith('kills '))
  const grouped = (value: number) => value.toLocaleString('en-US')
  const balanced = results.filter(({ verdict }) => isBalanced(verdict)).length
  const rows = (pairs: readonly (readonly [string, string | number])[]) =>
    pairs
      .map(([name, value]) => `| ${name} | ${typeof value === 'number' ? grouped(value) : value} |`)
      .join('\n')
  const times = (values: readonly number[]) =>
    values.length === 0
      ? NOTHING
      : `${((percentile(values, 0.5) as number) / 1000).toFixed(1)} s, ${((percentile(values, 0.99) as number) / 1000).toFixed(1)} s (${values.length})`
  const measured = results.filter(({ recovery }) => Object.keys(recovery.firstCommit).length > 0)
  const newest = measured.toSorted((a, b) => a.startedAt.localeCompare(b.startedAt)).at(-1)
  const machines = [...new Set(results.map(({ machine }) => machine))].join('; ')
  return `\`make chaos\`, ${results.length} runs of ${Math.round(sum(({ seconds }) => seconds) / 60)} minutes in all, on ${machines}.

| | |
|---|---|
${rows([
  ['runs, of which balanced', `${results.length}, ${balanced}`],
  ['events acknowledged', sum(({ verdict }) => verdict.acknowledged)],
  ['**lost**', sum(({ verdict }) => verdict.lost)],
  ['**duplicated**', sum(({ verdict }) => verdict.duplicated)],
  ['of them stored by a collector while Kafka was away or slow', sum(({ load }) => load.stored ?? 0)],
  ['of unknown outcome', sum(({ load }) => load.unknown)],
  ['kill -9', kills.reduce((total, [, each]) => total + each, 0)],
  ['events sent again on purpose', sum(({ load }) => load.repeated)],
  ['repetitions removed', sum(({ verdict }) => verdict.duplicatesRemoved)],
  ['other payloads under a taken id, refused', sum(({ verdict }) => verdict.rejectedByCode.id_conflict ?? 0)],
  ['open plans replayed by a successor', figures['plans replayed'] ?? 0],
])}

${renderRuns(results)}

| kill -9 of | times |
|---|---|
${rows(kills.map(([name, value]) => [name.slice('kills '.length), value] as const).sort())}

| killed at the fail point | times |
|---|---|
${rows(
  CHAOS_STAGES.flatMap((stage) =>
    FAIL_POINTS[stage].map(
      (point) => [`${stage} \`${point}\``, figures[`fail point ${stage} ${point}`] ?? 0] as const,
    ),
  ),
)}

| fault | times |
|---|---|
${rows(FAULTS.map(({ name }) => [name, inflicted[name] ?? 0] as const))}

${newest ? `Recovery as the newest run that measured it did, commit ${newest.commit}, \`${newest.command}\`:` : 'Recovery:'}

| recovery | median, 99 % (times) |
|---|---|
${rows([
  // Of those that an event passes; the one process of identity has no successor but itself.
  ...CHAOS_STAGES.filter((stage) => !['collector', 'identity', 'recordings'].includes(stage)).map(
    (stage) =>
      [
        `a partition of a killed ${stage} is committed by its successor`,
        times(newest?.recovery.firstCommit[stage] ?? []),
      ] as const,
  ),
  ['everything killed, until an event is accepted', times(newest?.recovery.accepting ?? [])],
  ['everything killed, until an event is in ClickHouse', times(newest?.recovery.fresh ?? [])],
  [
    'requests that failed during rolling SIGTERMs of collectors',
    `${grouped(sum(({ rolling }) => rolling.failedTries))} (${grouped(sum(({ rolling }) => rolling.times))} SIGTERMs)`,
  ],
])}

${renderCatchUps(newest?.recovery.catchUp ?? {})}

${renderOutages(newest?.recovery.outages ?? [])}

Everything that may go wrong, and where it is tried: by these runs, or by tests that are named under \`test/\`.

${renderMatrix(inflicted)}
`
}

const NOTHING = 'not measured'

function renderRuns(results: readonly ChaosResult[]): string {
  const rows = results.map(({ startedAt, commit, command, seconds, verdict }) =>
    [
      '',
      startedAt.slice(0, 16).replace('T', ' '),
      commit,
      `\`${command}\``,
      String(Math.round(seconds / 60)),
      verdict.acknowledged.toLocaleString('en-US'),
      `${verdict.lost}, ${verdict.duplicated}`,
      '',
    ]
      .join(' | ')
      .trim(),
  )
  return `| run, UTC | commit | command | minutes | acknowledged | lost, duplicated |
|---|---|---|---|---|---|
${rows.join('\n')}`
}

const twoPlaces = (value: number) => value.toFixed(2)

/** Every consuming process away under load. */
function renderCatchUps(catchUp: Recovery['catchUp']): string {
  const rows = Object.entries(catchUp).map(([name, all]) => {
    const seconds = all.map((each) => each.seconds)
    const timesLive = all.map((each) => each.timesLive)
    return `| ${name} | ${[0.5, 0.99].map((share) => `${percentile(seconds, share)?.toFixed(1)} s`).join(', ')} (${all.length}) | ${percentile(timesLive, 0.5)?.toFixed(1)}, ${Math.min(...timesLive).toFixed(1)} |`
  })
  return `| all consumers away for ${AWAY_MS / 1000} s under load, started at once | caught up after: median, 99 % (times) | records a second until then ÷ live rate: median, least |
|---|---|---|
${rows.join('\n') || `| every consumer | ${NOTHING} | ${NOTHING} |`}`
}

/** A minute without S3, and one without ClickHouse. */
function renderOutages(outages: Recovery['outages']): string {
  const rows = outages.map(
    ({ away, seconds, otherBefore, otherDuring, catchUp }) =>
      `| ${away}, ${seconds} s | ${twoPlaces(otherBefore)} s, ${twoPlaces(otherDuring)} s | ${twoPlaces(otherDuring / otherBefore)} | ${catchUp.seconds.toFixed(1)} s | ${catchUp.timesLive.toFixed(1)} |`,
  )
  return `| away under load | mean lag of the other sink: before, meanwhile | ratio | the sink itself caught up after | records a second until then ÷ live rate |
|---|---|---|---|---|
${rows.join('\n') || `| S3, ClickHouse | ${NOTHING} | | | |`}`
}

function addUp(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const each of all)
    for (const [name, value] of Object.entries(each)) sums[name] = (sums[name] ?? 0) + value
  return sums
}

const BLOCK = /(<!-- generated: chaos -->\n)[\s\S]*?(<!-- \/generated -->)/

if (import.meta.main) {
  const root = join(import.meta.dirname, '../..')
  const fresh = keepResults(process.env.OUT || join(root, '.millrace', 'chaos'), KEPT)
  const report = renderReport(readResults(KEPT))
  process.stdout.write(`${report}\n${fresh} runs are new; they are kept under test/chaos/results.\n`)
  const file = join(root, 'docs/reliability.md')
  const before = readFileSync(file, 'utf8')
  if (!BLOCK.test(before)) throw new Error(`${file} has no generated block for chaos.`)
  writeFileSync(
    file,
    before.replace(BLOCK, (_, begin, end) => `${begin}\n${report}\n${end}`),
  )
}
