import { type Command, InvalidArgumentError } from 'commander'
import { runStagesProcess } from '../../core/runtime/stage.ts'
import { isStageName, loadStage, STAGE_NAMES, type StageName } from '../stages.ts'

export function registerRun(program: Command): void {
  program
    .command('run')
    .summary('run one stage, or several, as this process')
    .description(
      `Runs stages as this process until SIGTERM: ${STAGE_NAMES.join(', ')}. Settings come from the environment; ` +
        'exit status 2 means that they are wrong.',
    )
    .argument('<stage...>', 'names of the stages', stageNames)
    .action(async (names: readonly StageName[]) => runStagesProcess(await Promise.all(names.map(loadStage))))
}

/** @param before commander hands over what the earlier arguments made */
function stageNames(text: string, before: readonly StageName[] = []): StageName[] {
  if (!isStageName(text)) throw new InvalidArgumentError(`The stages are ${STAGE_NAMES.join(', ')}.`)
  return [...before, text]
}
