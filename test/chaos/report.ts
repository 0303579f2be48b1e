import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { join } from 'node:path'
import { CHAOS_STAGES } from './chaos-system.ts'
import { renderMatrix } from './fault-matrix.ts'
import { FAIL_POINTS, FAULTS } from './faults.ts'
import { percentile } from './recovery.ts'
import type { ChaosResult } from './run-chaos.ts'
import { isBalanced } from './verdict.ts'

/** Every result that lies in a directory; files that are none are passed over. */
export function readResults(dir: string): readonly ChaosResult[] {
  return readdirSync(dir)
    .filter((name) => /^result-.*\.json$/.test(name))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as ChaosResult)
}

/** All runs together, as Markdown. */
export function renderReport(results: readonly ChaosResult[], machine: string): string {
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
      ? 'not measured'
      : `${((percentile(values, 0.5) as number) / 1000).toFixed(1)} s, ${((percentile(values, 0.99) as number) / 1000).toFixed(1)} s (${values.length})`
  return `\`make chaos\`, ${results.length} runs of ${Math.round(sum(({ seconds }) => seconds) / 60)} minutes in all, on ${machine}.

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

| recovery | median, 99 % (times) |
|---|---|
${rows([
  ...CHAOS_STAGES.filter((stage) => stage !== 'collector').map(
    (stage) =>
      [
        `every partition of a killed ${stage} is committed by its successor`,
        times(results.flatMap(({ recovery }) => recovery.afterKill[stage] ?? [])),
      ] as const,
  ),
  [
    'everything killed, until an event is accepted',
    times(results.flatMap(({ recovery }) => recovery.accepting)),
  ],
  [
    'everything killed, until an event is in ClickHouse',
    times(results.flatMap(({ recovery }) => recovery.fresh)),
  ],
  [
    'requests that failed during rolling SIGTERMs of collectors',
    `${grouped(sum(({ rolling }) => rolling.failedTries))} (${grouped(sum(({ rolling }) => rolling.times))} SIGTERMs)`,
  ],
])}

Everything that may go wrong, and where it is tried: by these runs, or by tests that are named under \`test/\`.

${renderMatrix(inflicted)}
`
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
  const results = readResults(process.env.OUT || join(root, '.millrace', 'chaos'))
  const report = renderReport(results, `${availableParallelism()} cores (${cpus()[0]?.model.trim()})`)
  process.stdout.write(`${report}\n`)
  const file = join(root, 'docs/reliability.md')
  const before = readFileSync(file, 'utf8')
  if (!BLOCK.test(before)) throw new Error(`${file} has no generated block for chaos.`)
  writeFileSync(
    file,
    before.replace(BLOCK, (_, begin, end) => `${begin}\n${report}\n${end}`),
  )
}
