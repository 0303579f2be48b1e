import type { Setting } from '../core/runtime/settings.ts'
import type { Stage } from '../core/runtime/stage.ts'

/** Every stage in the order an event travels. */
export const STAGE_NAMES = [
  'collector',
  'enricher',
  'subscriber-router',
  's3-sink',
  'clickhouse-sink',
  'query-api',
] as const

export type StageName = (typeof STAGE_NAMES)[number]

export type AnyStage = Stage<Record<string, Setting<unknown>>>

export function isStageName(text: string): text is StageName {
  return (STAGE_NAMES as readonly string[]).includes(text)
}

/** Loads one stage alone: a collector's process never loads DuckDB, a sink's never Fastify. */
export async function loadStage(name: StageName): Promise<AnyStage> {
  const { stage } = (await import(new URL(`../${name}/main.ts`, import.meta.url).href)) as { stage: AnyStage }
  return stage
}

/**
 * Port of each stage's /metrics, /healthz and /readyz under `millrace up`, where a dashboard must find it again after
 * a restart. Below 32768, or an outgoing connection may take it.
 */
export const OPS_PORTS: Readonly<Record<StageName, number>> = {
  collector: 9101,
  enricher: 9102,
  'subscriber-router': 9103,
  's3-sink': 9104,
  'clickhouse-sink': 9105,
  'query-api': 9106,
}
