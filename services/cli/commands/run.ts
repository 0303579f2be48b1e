import { type Command, InvalidArgumentError } from 'commander'
import { runStageProcess } from '../../core/runtime/stage.ts'
import { isStageName, loadStage, STAGE_NAMES, type StageName } from '../stages.ts'

export function registerRun(program: Command): void {
  program
    .command('run')
    .summary('run one stage as this process')
    .description(
      `Runs one stage as this process until SIGTERM: ${STAGE_NAMES.join(', ')}. Settings come from the environment; ` +
        'exit status 2 means that they are wrong.',
    )
    .argument('<stage>', 'name of the stage', stageName)
    .action(async (name: StageName) => runStageProcess(await loadStage(name)))
}

function stageName(text: string): StageName {
  if (!isStageName(text)) throw new InvalidArgumentError(`The stages are ${STAGE_NAMES.join(', ')}.`)
  return text
}
