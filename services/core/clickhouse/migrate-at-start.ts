import { PATIENT, retry } from '../runtime/retry.ts'
import type { StageContext } from '../runtime/stage.ts'
import type { ClickHouseSettings } from './clickhouse-settings.ts'
import { openClickHouse } from './http-clickhouse.ts'
import { migrate } from './migrate.ts'

/**
 * Brings the tables up to date before a stage uses them, unless the settings say that somebody else does; waits for a
 * server that is not there yet.
 *
 * @throws DependencyError what waiting does not mend
 */
export async function migrateAtStart(
  settings: ClickHouseSettings & { readonly migrate: boolean },
  { logger, clock, stopping }: Pick<StageContext, 'logger' | 'clock' | 'stopping'>,
): Promise<void> {
  if (!settings.migrate) return
  const root = openClickHouse(settings, null)
  const onRetry = (err: Error) => logger.warn({ err }, 'ClickHouse cannot be reached; trying again.')
  const environment = { clock, random: Math.random, signal: stopping, onRetry }
  const applied = await retry(PATIENT, environment, () => migrate(root, settings.clickhouseDatabase))
  if (applied.length > 0) logger.info({ applied }, 'The tables were brought up to date.')
  await root.close()
}
