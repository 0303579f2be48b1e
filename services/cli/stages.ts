import type { Setting } from '../core/runtime/settings.ts'
import type { Stage } from '../core/runtime/stage.ts'

/** Every stage in the order an event travels. */
export const STAGE_NAMES = [
  'collector',
  'enricher',
  'subscriber-router',
  's3-sink',
  'clickhouse-sink',
  'identity',
  'recordings',
  'query-api',
] as const

export type StageName = (typeof STAGE_NAMES)[number]

export type AnyStage = Stage<Record<string, Setting<unknown>>>

export function isStageName(text: string): text is StageName {
  return (STAGE_NAMES as readonly string[]).includes(text)
}

const LOADERS: Readonly<Record<StageName, () => Promise<{ readonly stage: unknown }>>> = {
  collector: () => import('../collector/main.ts'),
  enricher: () => import('../enricher/main.ts'),
  'subscriber-router': () => import('../subscriber-router/main.ts'),
  's3-sink': () => import('../s3-sink/main.ts'),
  'clickhouse-sink': () => import('../clickhouse-sink/main.ts'),
  identity: () => import('../identity/main.ts'),
  recordings: () => import('../recordings/main.ts'),
  'query-api': () => import('../query-api/main.ts'),
}

/** Loads one stage alone: a collector's process never loads DuckDB, a sink's never Fastify. */
export async function loadStage(name: StageName): Promise<AnyStage> {
  // Each stage's own types of settings end here: whoever runs it parses what the stage itself declares.
  return (await LOADERS[name]()).stage as AnyStage
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
  identity: 9107,
  recordings: 9108,
}

/**
 * Node's own flags for a process that runs stages. Records pass through the heap and are garbage at once; without a
 * bound the heap grows into whatever memory the machine has before they are collected. What is held for long (the ids of the dedupe window) lies outside of this heap.
 * `bin/millrace` passes the same ones.
 */
const STAGE_NODE_FLAGS = ['--max-old-space-size=384', '--max-semi-space-size=16'] as const
/**
 * Without it V8 marks a heap of 50 MB every four seconds under load, and requests of that moment wait 20 to 50 ms for it:
 * nobody waits for other stages like that.
 */
const COLLECTOR_NODE_FLAG = '--initial-heap-size=160'

/** @param names of the stages that the process runs */
export function stageNodeFlags(names: readonly StageName[]): readonly string[] {
  return names.includes('collector') ? [...STAGE_NODE_FLAGS, COLLECTOR_NODE_FLAG] : STAGE_NODE_FLAGS
}
