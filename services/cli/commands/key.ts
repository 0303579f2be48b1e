import { randomBytes } from 'node:crypto'
import { type Command, Option } from 'commander'
import { generateAccessKey, type KeyScope } from '../../core/control/access-key.ts'
import { adminKeyText, newKeyText } from '../config/new-key.ts'

interface KeyFlags {
  readonly dataset: string
  readonly scope: KeyScope
  readonly id?: string
}

/** `millrace key …`: makes access keys. They are shown once; the configuration holds their hash. */
export function registerKey(program: Command): void {
  const key = program.command('key').description('Make access keys.')
  key
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
      const text = generateAccessKey(scope, randomBytes)
      process.stdout.write(newKeyText(text, { dataset, scope, id: id ?? null }))
    })
  key
    .command('admin')
    .description('Make the administrator’s key, show it once, and print the setting of the query API.')
    .action(() => {
      process.stdout.write(adminKeyText(generateAccessKey('admin', randomBytes)))
    })
}
