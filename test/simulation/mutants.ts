// biome-ignore-all lint/suspicious/noTemplateCurlyInString: patches are pieces of source, templates too.

/** A one-line fault in shipped source, which the oracle must notice. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Comes exactly once in the file. */
  readonly find: string
  readonly replace: string
}

const STREAM = 'services/core/stream'
const CLICKHOUSE = 'services/clickhouse-sink'
const S3 = 'services/s3-sink'
const ENRICHER = 'services/enricher'
const ROUTER = 'services/subscriber-router'

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'a plan is not read back',
    file: `${STREAM}/planned-commit.ts`,
    find: 'const found = await readPosition(consumer, { topic, partition })',
    replace: 'const found = next',
  },
  {
    name: 'the plan is committed after the effect',
    file: `${STREAM}/planned-batch.ts`,
    find: '    await commitPlan(plan)\n    env.observer.planned(plan)\n    await deliver(plan, range.batch, false)',
    replace: '    await deliver(plan, range.batch, false)\n    env.observer.planned(plan)',
  },
  {
    name: 'the range is committed as done before its effect',
    file: `${STREAM}/planned-batch.ts`,
    find: "    await env.failPoint('after_plan')\n",
    replace:
      '    await commit({ offset: plan.end + 1, metadata: encodeProgress({ ...progress, offset: plan.end + 1 }) })\n',
  },
  {
    name: 'an open plan is not replayed',
    file: `${STREAM}/planned-batch.ts`,
    find: 'await replay(plan)\n        if',
    replace: 'progress = { ...progress, offset: plan.end + 1 }\n        if',
  },
  {
    name: 'a replay ends one record early',
    file: `${STREAM}/planned-replay.ts`,
    find: '          each(records, index)\n          if (offset === end)',
    replace:
      '          if (offset === end) return await afterBatch()\n          each(records, index)\n          if (offset === end)',
  },
  {
    name: 'the next range begins one record late',
    file: `${STREAM}/planned-batch.ts`,
    find: 'complete({ offset: plan.end + 1, src',
    replace: 'complete({ offset: plan.end + 2, src',
  },
  {
    name: 'a range takes in the record that closed it but not its offset',
    file: `${STREAM}/planned-batch.ts`,
    find: '        open.end = offset\n',
    replace: '        open.end = offset - 1\n',
  },
  {
    name: 'a restarted partition goes on where it was instead of where its worker says',
    file: `${STREAM}/partition-lane.ts`,
    find: '      seekTo = offset\n',
    replace: '      accepting = true\n',
  },
  {
    name: 'what was queued before a failure reaches the next worker',
    file: `${STREAM}/partition-lane.ts`,
    find: '    full = false\n    clearQueue()\n',
    replace: '    full = false\n',
  },
  {
    name: 'the sink is not asked what it holds',
    file: `${STREAM}/planned-batch.ts`,
    find: 'const truth = await sink.delivered(committed === null ? null : progress)',
    replace: 'const truth = null as Awaited<ReturnType<typeof sink.delivered>>',
  },
  {
    name: 'rows are not counted after an insert without a clean answer',
    file: `${CLICKHOUSE}/insert-exactly.ts`,
    find: '(await missingRows(target, rows)).filter((row) => !refused.has(row))',
    replace: '[] as number[]',
  },
  {
    name: 'an insert is repeated under another token',
    file: `${CLICKHOUSE}/insert-exactly.ts`,
    find: 'await isReadable(insert(target, rows.bytes(), tokenOf(target, 1)))',
    replace: 'await isReadable(insert(target, rows.bytes(), tokenOf(target, 9)))',
  },
  {
    name: 'tokens do not name the range',
    file: `${CLICKHOUSE}/table-sink.ts`,
    find: ':${start}-${end}`',
    replace: ':${Math.min(start, end, 0)}`',
  },
  {
    name: 'a replayed insert is believed at once',
    file: `${CLICKHOUSE}/insert-exactly.ts`,
    find: "if (earlier === 'none' && (await isClean",
    replace: 'if ((await isClean',
  },
  {
    name: 'inserts that nobody waits for are not ended',
    file: `${CLICKHOUSE}/insert-exactly.ts`,
    find: "  return clickhouse.command('KILL QUERY",
    replace: "  if (prefix) return Promise.resolve()\n  return clickhouse.command('KILL QUERY",
  },
  {
    name: 'rows past the ledger are not looked for',
    file: `${CLICKHOUSE}/table-sink.ts`,
    find: 'return found && found.found > 0 ? found.highest : -1',
    replace: 'return found && found.found < 0 ? found.highest : -1',
  },
  {
    name: 'the ledger is not written',
    file: `${CLICKHOUSE}/table-sink.ts`,
    find: 'await recordBatch(env.clickhouse, partition, table, plan, counts)',
    replace: 'void recordBatch',
  },
  {
    name: 'the manifest names the first object only',
    file: `${S3}/deliver-batch.ts`,
    find: '    objects.push(object)\n',
    replace: '    if (objects.length === 0) objects.push(object)\n',
  },
  {
    name: 'a filter is off by one',
    file: `${S3}/delivery-batch.ts`,
    find: "if (!selection.matches(body)) return 'filtered'",
    replace: "if (!selection.matches(body) || counts.read === 3) return 'filtered'",
  },
  {
    name: 'objects are written under names without their end',
    file: 'schemas/manifest/v1.ts',
    find: '${offsetText(source.start)}-${offsetText(source.end)}`',
    replace: '${offsetText(source.start)}`',
  },
  {
    name: 'ids are remembered before their transaction is committed, and kept after it is not',
    file: `${ENRICHER}/pipeline.ts`,
    find: '    await transaction(content.records, content.next)\n    own.window.add(content.entries)\n',
    replace: '    own.window.add(content.entries)\n    await transaction(content.records, content.next)\n',
  },
  {
    name: 'ids are not remembered',
    file: `${ENRICHER}/pipeline.ts`,
    find: '    own.window.add(content.entries)\n',
    replace: '',
  },
  {
    name: 'the window is not rebuilt at a takeover',
    file: `${ENRICHER}/takeover.ts`,
    find: '            window.add(record.entries)\n',
    replace: '',
  },
  {
    name: 'the changelog is read up to any sentinel',
    file: `${ENRICHER}/takeover.ts`,
    find: 'found = record.mark.equals(mark)',
    replace: 'found = true',
  },
  {
    name: 'an id taken by another payload counts as an equal repeat',
    file: `${ENRICHER}/judge-record.ts`,
    find: "  if (held === 'other')",
    replace: "  if (held === 'other') return DUPLICATE\n  if (held === ('never' as typeof held))",
  },
  {
    name: 'the position is not part of the transaction',
    file: `${ENRICHER}/pipeline.ts`,
    find: '        await open.sendOffset(consumer, { topic: names.raw, partition, offset: next }, metadata)',
    replace: '        await consumer.commit([{ topic: names.raw, partition, offset: next, metadata }])',
  },
  {
    name: 'the owner before is not fenced',
    file: `${ENRICHER}/pipeline.ts`,
    find: "names.transactionalId('enricher', partition), {",
    replace: "`${names.transactionalId('enricher', partition)}.${clock.monotonic()}`, {",
  },
  {
    name: 'repeated records of a range are taken again',
    file: `${ENRICHER}/transaction-content.ts`,
    find: 'if (offset < next) continue',
    replace: 'if (offset < next - 1) continue',
  },
  {
    name: 'the router does not fence the owner before',
    file: `${ROUTER}/partition-router.ts`,
    find: 'producer = await openProducer(deps.sharedTransactionalId(partition))',
    replace: 'producer = await openProducer(`${deps.sharedTransactionalId(partition)}.${deps.newOwner()}`)',
  },
  {
    name: 'the router moves on before its transaction is committed',
    file: `${ROUTER}/partition-router.ts`,
    find: '      { ...where, offset: after },\n',
    replace: '      { ...where, offset: after + 1 },\n',
  },
  {
    name: 'a request is answered before Kafka has its events',
    file: 'services/collector/pipeline.ts',
    find: '    await env.producer.produce(records)',
    replace: '    void env.producer.produce(records).catch(() => {})',
  },
]
