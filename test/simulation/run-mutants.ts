import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { MUTANTS, type Mutant } from './mutants.ts'
import type { Caught } from './run-mutant.ts'

/**
 * `node test/simulation/run-mutants.ts [NAME PART]`: plants each fault in a copy of the program and tells histories
 * until the oracle notices. Writes `mutants.json` when all were planted. Exits 0 when all were caught.
 */
const ROOT = join(import.meta.dirname, '../..')
const SEEDS_MAX = Number(process.env.MUTANT_SEEDS ?? 400)
/** A fault that makes a history never end is not caught. */
const MUTANT_TIMEOUT_MS = 15 * 60_000

/** @returns the source with the fault in it */
export function planted(source: string, { name, find, replace }: Mutant): string {
  if (source.split(find).length !== 2) throw new Error(`"${name}" does not come exactly once.`)
  return source.replace(find, () => replace)
}

async function run(mutant: Mutant): Promise<Caught> {
  const copy = mkdtempSync(join(tmpdir(), 'millrace-mutant-'))
  try {
    for (const part of ['services', 'schemas', 'test', 'infra', 'package.json'])
      cpSync(join(ROOT, part), join(copy, part), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
    const file = join(copy, mutant.file)
    writeFileSync(file, planted(readFileSync(file, 'utf8'), mutant))
    return await new Promise<Caught>((resolve) => {
      const args = [
        '--max-semi-space-size=64',
        join(copy, 'test/simulation/run-mutant.ts'),
        String(SEEDS_MAX),
      ]
      execFile(process.execPath, args, { timeout: MUTANT_TIMEOUT_MS }, (error, out) => {
        if (error) resolve({ seeds: null, fault: error.message.split('\n')[0] ?? '', mistakes: 0, stuck: 0 })
        else resolve(JSON.parse(out) as Caught)
      })
    })
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const part = process.argv[2] ?? ''
  const todo = MUTANTS.filter(({ name }) => name.includes(part))
  const found = new Map<Mutant, Caught>()
  let next = 0
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (let mutant = todo[next++]; mutant; mutant = todo[next++]) {
        const caught = await run(mutant)
        found.set(mutant, caught)
        const { seeds, fault, mistakes, stuck } = caught
        console.log(
          seeds === null
            ? `NOT CAUGHT  ${mutant.name} (${mutant.file}); ${mistakes} mistakes, ${stuck} stuck; ${fault}`
            : `caught by ${seeds} seeds  ${mutant.name} (${mutant.file}): ${fault}`,
        )
      }
    }),
  )
  const rows = todo.map((mutant) => {
    const { seeds, fault } = found.get(mutant) as Caught
    return { name: mutant.name, file: mutant.file, caughtBy: seeds === null ? null : 'oracle', seeds, fault }
  })
  if (part === '')
    writeFileSync(join(import.meta.dirname, 'mutants.json'), `${JSON.stringify(rows, null, 2)}\n`)
  const caught = rows.filter(({ seeds }) => seeds !== null).length
  console.log(`${caught} of ${rows.length} planted faults caught`)
  process.exitCode = caught === rows.length ? 0 : 1
}
