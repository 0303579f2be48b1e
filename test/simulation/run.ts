import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { replayLine } from './replay-line.ts'
import { runSeeds } from './seed-pool.ts'
import { simulate } from './simulate.ts'
import { addTally, createTally, TALLIED, TALLY_TEXTS } from './tally.ts'

/**
 * `node test/simulation/run.ts [--seeds 10000] [--from 1] [--json]` tells that many histories on every core and adds
 * them up (`--write-docs` into docs/reliability.md); `--seed N` tells one, with everything that happened in it. Exits 0 when every promise was kept.
 */
const { values: given } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10000' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    json: { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
  },
})

async function tellOne(seed: number): Promise<boolean> {
  const history = await simulate(seed)
  const { trace, ...rest } = history
  if (given.json) console.log(JSON.stringify(rest))
  else console.log(`${trace.join('\n')}\n\n${summaryOf(history)}`)
  return history.verdict === 'kept'
}

function summaryOf(history: Awaited<ReturnType<typeof simulate>>): string {
  const { seed, verdict, acknowledged, simulatedSeconds, traceHash, faults, tally } = history
  return [
    `seed ${seed}: ${verdict}; ${acknowledged} events acknowledged, ${simulatedSeconds.toFixed(0)} s, trace ${traceHash.slice(0, 16)}`,
    TALLIED.map((name) => `${name} ${tally[name]}`).join(', '),
    ...faults,
  ].join('\n')
}

async function tellMany(from: number, count: number): Promise<boolean> {
  const sum = { ...createTally(), histories: 0, acknowledged: 0, simulatedSeconds: 0 }
  const failed: number[] = []
  const startedMs = performance.now()
  const seconds = () => (performance.now() - startedMs) / 1000
  const progress = setInterval(() => {
    if (given.json) return
    process.stderr.write(
      `${sum.histories} of ${count} histories, ${(sum.histories / seconds()).toFixed(1)}/s, ${failed.length} failed\n`,
    )
  }, 5_000)

  await runSeeds({
    from,
    to: from + count - 1,
    processes: availableParallelism(),
    bug: null,
    onResult(result) {
      sum.histories++
      if ('crash' in result) {
        failed.push(result.seed)
        console.error(`make simulate SEED=${result.seed}  # ${result.crash}`)
        return true
      }
      sum.acknowledged += result.acknowledged
      sum.simulatedSeconds += result.simulatedSeconds
      addTally(sum, result.tally)
      if (result.verdict === 'kept') return true
      failed.push(result.seed)
      console.error(replayLine(result))
      return true
    },
  }).finally(() => clearInterval(progress))

  const took = seconds()
  const report = {
    ...sum,
    failed,
    seconds: Math.round(took),
    historiesPerSecond: sum.histories / took,
    simulatedPerRealSecond: sum.simulatedSeconds / took,
  }
  if (given.json) console.log(JSON.stringify(report))
  else
    console.log(
      [
        `${sum.histories} histories, ${sum.histories - failed.length} kept, ${failed.length} failed; ${sum.acknowledged} events acknowledged`,
        `${took.toFixed(0)} s, ${report.historiesPerSecond.toFixed(1)} histories/s, ${report.simulatedPerRealSecond.toFixed(0)} simulated seconds per second`,
        TALLIED.map((name) => `${name} ${sum[name]}`).join(', '),
      ].join('\n'),
    )
  if (given['write-docs'])
    writeDocs(
      [
        `\`make simulate SEEDS=${count}\` on ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? 'unknown'}):`,
        '',
        '| | |',
        '|---|---|',
        `| histories, of which every promise was kept | ${sum.histories}, ${sum.histories - failed.length} |`,
        `| events acknowledged | ${sum.acknowledged} |`,
        `| simulated seconds per second | ${report.simulatedPerRealSecond.toFixed(0)} |`,
        ...TALLIED.map((name) => `| ${TALLY_TEXTS[name]} | ${sum[name]} |`),
      ].join('\n'),
    )
  return failed.length === 0
}

function writeDocs(text: string): void {
  const file = new URL('../../docs/reliability.md', import.meta.url)
  const before = readFileSync(file, 'utf8')
  const marked = /(<!-- generated: simulation -->)[\s\S]*?(<!-- \/generated -->)/
  writeFileSync(
    file,
    before.replace(marked, (_, open, close) => `${open}\n\n${text}\n\n${close}`),
  )
}

const isKept =
  given.seed === undefined
    ? await tellMany(Number(given.from), Number(given.seeds))
    : await tellOne(Number(given.seed))
process.exitCode = isKept ? 0 : 1
