import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { ChaosResult } from './chaos-result.ts'
import { CHAOS_STAGES } from './chaos-system.ts'
import { FAULTS } from './faults.ts'
import { renderResult } from './render-result.ts'
import { judgeState, runChaos } from './run-chaos.ts'
import { isBalanced } from './verdict.ts'

/** What can be asked for in the environment, with what is done otherwise. */
const DEFAULTS = {
  MINUTES: '5',
  SEED: String(Date.now() % 1_000_000),
  BROKERS: '1',
  RATE: '800',
  RECOVERIES: '1',
  ROLLING: '2',
  ONLY: '',
  KILL: '',
  AT_ONCE: '2',
}
const quoted = (text: string) => (/^[\w.-]+$/.test(text) ? text : `'${text}'`)

const out = process.env.OUT || join(import.meta.dirname, '../../.millrace/chaos')
const startedMs = performance.now()
const elapsed = () => `${((performance.now() - startedMs) / 1000).toFixed(1).padStart(7)} s`
const live = process.stdout.isTTY
const print = (text: string) => void process.stdout.write(`${live ? '\r\x1b[K' : ''}${elapsed()}  ${text}\n`)
const progress = (text: string) =>
  void (live && process.stdout.write(`\r\x1b[K${elapsed()}  ${text.slice(0, 140)}`))

async function run(stateDir: string): Promise<ChaosResult> {
  const given = Object.keys(DEFAULTS).flatMap((name) => {
    const value = process.env[name]
    return value ? [[name, value] as const] : []
  })
  const { MINUTES, SEED, BROKERS, RATE, RECOVERIES, ROLLING, ONLY, KILL, AT_ONCE } = {
    ...DEFAULTS,
    ...(Object.fromEntries(given) as Partial<typeof DEFAULTS>),
  }
  const faults = FAULTS.filter(({ name }) => ONLY.split('|').some((part) => name.includes(part)))
  if (faults.length === 0)
    throw new Error(
      `No fault is named like ${ONLY}. There are: ${FAULTS.map(({ name }) => name).join('; ')}.`,
    )
  const kill = CHAOS_STAGES.filter((stage) => KILL.split('|').some((part) => stage.includes(part)))
  if (kill.length === 0)
    throw new Error(`No stage is named like ${KILL}. There are: ${CHAOS_STAGES.join(', ')}.`)
  return runChaos({
    stateDir,
    seed: Number(SEED),
    command: ['make chaos', ...given.map(([name, value]) => `${name}=${quoted(value)}`)].join(' '),
    faultsMs: Number(MINUTES) * 60_000,
    brokers: BROKERS === '3' ? 3 : 1,
    eventsPerSecond: Number(RATE),
    recoveries: Number(RECOVERIES),
    rolling: Number(ROLLING),
    faults,
    kill,
    atOnce: Number(AT_ONCE),
    print,
    progress,
  })
}

// So that 'exit' comes, at which everything that was started is ended.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
const judged = process.env.JUDGE
const stateDir = judged
  ? resolve(judged)
  : join(out, `state-${new Date().toISOString().replace(/\D/g, '')}-${process.pid}`)
try {
  const result = await (judged ? judgeState(stateDir, progress) : run(stateDir))
  process.stdout.write(`${renderResult(result)}\n`)
  const name = `${result.startedAt.replace(/\D/g, '')}-${result.seed}`
  writeFileSync(join(out, `result-${name}.json`), JSON.stringify(result, null, 2))
  if (isBalanced(result.verdict)) {
    if (result.unplanned.length > 0) {
      const logs = join(out, `logs-${name}`)
      renameSync(join(stateDir, 'logs'), logs)
      print(`Processes ended that nobody had told to: ${logs} says why.`)
    }
    rmSync(stateDir, { recursive: true })
  } else print(`What the engines hold is kept: make chaos JUDGE=${stateDir} reads it again.`)
  process.exitCode = isBalanced(result.verdict) ? 0 : 1
} catch (error) {
  print(`${stateDir} is kept; where it has a run.json, make chaos JUDGE=${stateDir} reads it again.`)
  throw error
}
