import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.ts'
import type { Outcome } from './run-seeds.ts'
import { runSeeds, type SeedFailure } from './seed-pool.ts'

/**
 * `make mutants [SEEDS=1000] [ONLY=text]`: plants one bug after the other and simulates seeds until the oracle says
 * that a promise was broken. Exits 0 only when it finds every one. What is found goes into the table in
 * `docs/reliability.md`, row by row.
 */
const ROOT = join(import.meta.dirname, '../..')
const RESULTS = join(import.meta.dirname, 'mutants.json')
const DOCS = join(ROOT, 'docs/reliability.md')
const BLOCK = /(<!-- generated: mutants -->\n)[\s\S]*?(<!-- \/generated -->)/

/** Of the oracle's words, in the table. */
const FINDING_CHARACTERS_MAX = 120

/** What became of one planted bug. */
export interface MutantResult {
  readonly name: string
  readonly file: string
  /** What found it; null when nothing did. */
  readonly layer: 'simulation' | null
  /** Seeds that it took, from 1 on. */
  readonly seeds: number
  /** The oracle's first words. */
  readonly finding: string
}

async function hunt(bug: PlantedBug, seedsMax: number, processes: number): Promise<MutantResult> {
  let found: Outcome | null = null
  let count = 0
  await runSeeds({
    from: 1,
    to: seedsMax,
    processes,
    bug: bug.name,
    onResult(result) {
      count++
      if (isFinding(result) && (found === null || result.seed < found.seed)) found = result
      return found === null
    },
  })
  const { name, file } = bug
  const first = found as Outcome | null
  if (first === null) return { name, file, layer: null, seeds: count, finding: '' }
  await requireSound(first.seed)
  const finding = (first.faults[0] as string).split('\n', 1)[0]?.slice(0, FINDING_CHARACTERS_MAX) ?? ''
  return { name, file, layer: 'simulation', seeds: first.seed, finding }
}

/** A broken promise is seen by the oracle. That a history crashes or hangs is no finding. */
const isFinding = (result: Outcome | SeedFailure): result is Outcome =>
  !('crash' in result) && result.verdict === 'oracle'

/** A seed finds a bug only when it finds nothing without it. */
async function requireSound(seed: number): Promise<void> {
  await runSeeds({
    from: seed,
    to: seed,
    processes: 1,
    bug: null,
    onResult(result) {
      if ('crash' in result || result.verdict !== 'kept')
        throw new Error(`Seed ${seed} fails without any planted bug as well.`)
      return true
    },
  })
}

function table(results: readonly MutantResult[]): string {
  const rows = results.map(({ name, file, layer, seeds, finding }) =>
    [name, `\`${file.replace('services/', '')}\``, layer ?? '**not found**', seeds, finding].join(' | '),
  )
  const caught = results.filter(({ layer }) => layer !== null).length
  return [
    `${caught} of ${results.length} planted bugs are found by a failing assertion of the oracle (\`make mutants\`).`,
    '',
    '| planted bug | in | found by | seeds needed | first words of the oracle |',
    '|---|---|---|---|---|',
    ...rows.map((row) => `| ${row} |`),
    '',
  ].join('\n')
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    processes: { type: 'string', default: String(availableParallelism()) },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})
const results: MutantResult[] = []
for (const bug of PLANTED_BUGS.filter(({ name }) => name.includes(values.only))) {
  const result = await hunt(bug, Number(values.seeds), Number(values.processes))
  results.push(result)
  if (!values.json)
    process.stdout.write(
      `${result.layer === null ? `NOT FOUND in ${result.seeds} seeds` : `found in seed ${result.seeds}`}: ${bug.name}. ${result.finding}\n`,
    )
}
if (values.write) {
  // Of bugs that were not looked for this time, what was found last.
  const before = JSON.parse(readFileSync(RESULTS, 'utf8')) as MutantResult[]
  const all = PLANTED_BUGS.flatMap(({ name }) => {
    const found = results.find((each) => each.name === name) ?? before.find((each) => each.name === name)
    return found ? [found] : []
  })
  writeFileSync(RESULTS, `${JSON.stringify(all, null, 2)}\n`)
  const docs = readFileSync(DOCS, 'utf8')
  if (!BLOCK.test(docs)) throw new Error(`${DOCS} has no place for the table.`)
  writeFileSync(
    DOCS,
    docs.replace(BLOCK, (_, begin, end) => `${begin}${table(all)}${end}`),
  )
}
const missed = results.filter(({ layer }) => layer === null).length
process.stdout.write(
  values.json
    ? `${JSON.stringify(results)}\n`
    : `${results.length - missed} of ${results.length} planted bugs found.\n`,
)
process.exit(missed === 0 && results.length > 0 ? 0 : 1)
