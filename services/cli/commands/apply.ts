import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { openControlPublisher } from '../../core/control/control-publisher.ts'
import { type ControlSource, readControlRecords } from '../../core/control/control-topic.ts'
import { openKafkaLog } from '../../core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../core/kafka/kafka-settings.ts'
import { kafkaNames } from '../../core/kafka/topics.ts'
import { systemClock } from '../../core/runtime/clock.ts'
import { createLogger } from '../../core/runtime/logger.ts'
import { parseSettings } from '../../core/runtime/settings.ts'
import { type ApplyOutcome, applyConfig } from '../config/apply-config.ts'
import { showConfigFault } from '../config/config-file.ts'
import { localEnvironment } from '../local-environment.ts'
import { CONFIG_FILE, readConfig } from './config.ts'

interface ApplyFlags {
  readonly dryRun?: boolean
  readonly yes?: boolean
}

/** `millrace apply`: makes the configuration in force equal to the file's. */
export function registerApply(program: Command): void {
  program
    .command('apply')
    .description('Show what a configuration file changes, and publish it to all stages.')
    .argument('[file]', 'the file', CONFIG_FILE)
    .option('--dry-run', 'show the changes and publish nothing')
    .option('--yes', 'publish without asking')
    .action(async (file: string, flags: ApplyFlags) => {
      const { records, faults } = readConfig(file)
      if (faults.length > 0)
        throw new Error(
          `Nothing was applied: ${file} has faults.\n${faults.map((fault) => showConfigFault(file, fault)).join('\n')}`,
        )
      const settings = parseSettings(KAFKA_SETTINGS, localEnvironment())
      const logger = createLogger('apply', 'error')
      const log = await openKafkaLog(settings, logger)
      const source: ControlSource = {
        log,
        names: kafkaNames(settings.kafkaPrefix),
        clock: systemClock,
        logger,
      }
      try {
        const outcome = await applyConfig(records, {
          print: (text) => process.stdout.write(`${text}\n`),
          read: () => readControlRecords(source),
          openPublisher: flags.dryRun ? null : () => openControlPublisher(source),
          confirm: flags.yes ? async () => true : confirmOnTerminal,
        })
        if (!SUCCEEDED.has(outcome)) process.exitCode = 1
      } finally {
        await log.close()
      }
    })
}

const SUCCEEDED: ReadonlySet<ApplyOutcome> = new Set(['applied', 'unchanged', 'shown'])

async function confirmOnTerminal(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new Error('There is no terminal to ask on. Repeat with --yes to publish.')
  const lines = createInterface({ input: process.stdin, output: process.stdout })
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim())
  } finally {
    lines.close()
  }
}
