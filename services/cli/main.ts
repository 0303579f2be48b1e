import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { registerApply } from './commands/apply.ts'
import { registerConfig } from './commands/config.ts'
import { registerDemo } from './commands/demo.ts'
import { registerDoctor } from './commands/doctor.ts'
import { registerDown } from './commands/down.ts'
import { registerGenerate } from './commands/generate.ts'
import { registerImport } from './commands/import.ts'
import { registerKey } from './commands/key.ts'
import { registerRejected } from './commands/rejected.ts'
import { registerRun } from './commands/run.ts'
import { registerSchema } from './commands/schema.ts'
import { registerTail } from './commands/tail.ts'
import { registerUp } from './commands/up.ts'
import { registerVerify } from './commands/verify.ts'
import { endOf } from './exit-status.ts'

/** The whole command line. One file per command, each naming itself here. */
export function buildProgram(): Command {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'))
  const program = new Command('millrace')
    .description(manifest.description)
    .version(manifest.version)
    .showHelpAfterError('(millrace --help lists the commands and their options.)')
    .exitOverride()
  registerDemo(program)
  registerUp(program)
  registerDown(program)
  registerRun(program)
  registerConfig(program)
  registerApply(program)
  registerKey(program)
  registerGenerate(program)
  registerImport(program)
  registerVerify(program)
  registerTail(program)
  registerRejected(program)
  registerDoctor(program)
  registerSchema(program)
  return program
}

if (import.meta.main) {
  try {
    await buildProgram().parseAsync()
  } catch (error) {
    const { status, sentence } = endOf(error)
    if (sentence !== null) process.stderr.write(`millrace: ${sentence}\n`)
    process.exitCode = status
  }
}
