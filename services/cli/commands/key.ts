import { randomBytes } from 'node:crypto'
import { type Command, Option } from 'commander'
import { generateAccessKey, type KeyScope } from '../../core/control/access-key.ts'
import { newKeyText } from '../config/new-key.ts'

interface KeyFlags {
  readonly dataset: string
  readonly scope: KeyScope
  readonly id?: string
}

/** `millrace key new`: makes an access key. It is shown once; the configuration holds its hash. */
export function registerKey(program: Command): void {
  program
    .command('key')
    .description('Make access keys.')
    .command('new')
    .description('Make a key, show it once, and print what goes into millrace.yaml.')
    .requiredOption('--dataset <id>', 'the dataset that it opens')
    .addOption(
      new Option('--scope <scope>', 'send events, or ask about them')
        .choices(['write', 'read'])
        .makeOptionMandatory(),
    )
    .option('--id <id>', 'name of the key (default: dataset, scope and four digits)')
    .action(({ dataset, scope, id }: KeyFlags) => {
      const key = generateAccessKey(scope, randomBytes)
      process.stdout.write(newKeyText(key, { dataset, scope, id: id ?? null }))
    })
}
