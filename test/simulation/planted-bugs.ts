/** A line of the shipped code, made wrong. */
export interface PlantedBug {
  /** What is wrong, in a few words. */
  readonly name: string
  readonly file: string
  /** Each text stands in the file exactly once. */
  readonly edits: readonly (readonly [find: string, replace: string])[]
}

const PLANNED = 'services/core/stream/planned-batch.ts'
const COMMIT = 'services/core/stream/planned-commit.ts'
const ENRICHER = 'services/enricher/pipeline.ts'
const TAKEOVER = 'services/enricher/takeover.ts'
const CONTENT = 'services/enricher/transaction-content.ts'
const JUDGE = 'services/enricher/judge-record.ts'
const IDENTITY = 'services/enricher/dedupe/event-identity.ts'
const ROUTER = 'services/subscriber-router/partition-router.ts'
const ROUTE = 'services/subscriber-router/route-batch.ts'
const DELIVER = 'services/s3-sink/deliver-batch.ts'
const DELIVERY = 'services/s3-sink/delivery-batch.ts'
const PUT = 'services/s3-sink/put-rows.ts'
const MANIFEST = 'services/s3-sink/commit-manifest.ts'
const TABLE = 'services/core/clickhouse/planned-table.ts'
const LEDGER = 'services/core/clickhouse/ledger.ts'
const TOKEN = 'services/core/clickhouse/batch-token.ts'
const EXACTLY = 'services/core/clickhouse/insert-exactly.ts'
const COLLECTOR = 'services/collector/pipeline.ts'
const KEEPER = 'services/collector/record-keeper.ts'
const REPARTITION = 'services/identity/repartition/repartition-worker.ts'
const RESOLVE = 'services/identity/resolve/resolve-worker.ts'
const RESOLVED = 'services/identity/resolve/resolve-batch.ts'
const BLOCKS = 'services/recordings/chunk-blocks.ts'
const PUBLISHER = 'services/identity/publish/publisher.ts'

/**
 * Bugs of the kind that a change could bring in unseen, one at a time. What the simulation says of the code as it is
 * means something only because it finds every one of these.
 */
export const PLANTED_BUGS: readonly PlantedBug[] = [
  // Planned batches, of both sinks.
  {
    name: 'a batch is committed before it is written',
    file: PLANNED,
    edits: [
      [
        'const carry = await batch.deliver(plan, { replayed, hold: holdOf(plan) })',
        "await complete({ offset: plan.end + 1, src: plan.src, landed: plan.landed, carry: '' }); const carry = await batch.deliver(plan, { replayed, hold: holdOf(plan) })",
      ],
    ],
  },
  {
    name: 'the plan comes after the effect',
    file: PLANNED,
    edits: [
      ['    await commitPlan(plan)\n    env.observer', '    env.observer'],
      [
        'const carry = await batch.deliver(plan, { replayed, hold: holdOf(plan) })',
        'const carry = await batch.deliver(plan, { replayed, hold: holdOf(plan) }); if (!replayed) await commitPlan(plan)',
      ],
    ],
  },
  {
    name: 'a plan is not read back',
    file: COMMIT,
    edits: [
      [
        'const found = await readPosition(consumer, { topic, partition })',
        'if (commitError !== undefined) throw commitError; const found: GroupState = next',
      ],
    ],
  },
  {
    name: 'an open plan is passed over at takeover',
    file: PLANNED,
    edits: [['        await replay(plan)\n', '        void replay\n']],
  },
  {
    name: 'a range starts at the first record seen',
    file: PLANNED,
    edits: [
      [
        'open ??= await openRange(landed)',
        'if (!open) progress = { ...progress, offset }; open ??= await openRange(landed)',
      ],
    ],
  },
  {
    name: 'the first record of a range is left out',
    file: PLANNED,
    edits: [['if (offset < progress.offset ||', 'if (offset <= progress.offset ||']],
  },
  {
    name: 'a range is completed at its end, not after it',
    file: PLANNED,
    edits: [
      [
        'await complete({ offset: plan.end + 1, src: plan.src,',
        'await complete({ offset: plan.end, src: plan.src,',
      ],
    ],
  },
  {
    name: 'what the sink itself holds is not asked',
    file: PLANNED,
    edits: [
      [
        'const truth = await sink.delivered(committed === null ? null : progress)',
        'const truth = null as Awaited<ReturnType<typeof sink.delivered>>',
      ],
    ],
  },
  // The enricher.
  {
    name: 'the position is committed before the events',
    file: ENRICHER,
    edits: [
      [
        '      await open.begin()\n      await open.send(records)\n',
        "      if (next !== undefined) { await open.begin(); await open.sendOffset(consumer, { topic: names.raw, partition, offset: next }, ''); await open.commit() }\n      await open.begin()\n      await open.send(records)\n",
      ],
    ],
  },
  {
    name: 'the position is committed apart from the events, after them',
    file: ENRICHER,
    edits: [
      ["        await env.failPoint('before_offset')\n", '        await open.commit(); await open.begin()\n'],
    ],
  },
  {
    name: 'a new owner does not fence the one before',
    file: ENRICHER,
    edits: [
      [
        "names.transactionalId('enricher', partition), {",
        "`${names.transactionalId('enricher', partition)}-${env.randomBytes(8).toString('hex')}`, {",
      ],
    ],
  },
  {
    name: 'ids are remembered before the commit, and kept after an abort',
    file: ENRICHER,
    edits: [
      [
        'window = createDedupeWindow(limits.dedupeWindowMs, env.idBudget)',
        'const kept = env as unknown as Record<string, DedupeWindow>; window = (kept[`window ${partition}`] ??= createDedupeWindow(limits.dedupeWindowMs, env.idBudget))',
      ],
      [
        "    await transaction(content.records, content.next)\n    await env.failPoint('after_end')\n    env.metrics.windowExceeded(own.window.add(content.entries))\n",
        '    env.metrics.windowExceeded(own.window.add(content.entries))\n    await transaction(content.records, content.next)\n',
      ],
    ],
  },
  {
    name: 'the window is not rebuilt at a takeover',
    file: TAKEOVER,
    edits: [['            window.add(record.entries)\n', '']],
  },
  {
    name: 'the window moves with the wall clock',
    file: ENRICHER,
    edits: [
      [
        '    const content = transactionContent(batches, {\n',
        '    own.window.advance(clock.now())\n    const content = transactionContent(batches, {\n',
      ],
    ],
  },
  {
    name: 'a takeover does not wait for its own sentinel',
    file: TAKEOVER,
    edits: [['found = record.mark.equals(mark)', 'found = true']],
  },
  {
    name: 'ids are not written to the changelog',
    file: CONTENT,
    edits: [
      [
        "const dedupe = { kind: 'entries', nextOffset: next, appendTimeMax: window.appendTimeMax, entries } as const",
        "const dedupe = { kind: 'entries', nextOffset: next, appendTimeMax: window.appendTimeMax, entries: Buffer.alloc(0) } as const",
      ],
    ],
  },
  { name: 'a receipt ends one late', file: CONTENT, edits: [['to: next - 1,', 'to: next,']] },
  {
    name: 'a duplicate is not counted',
    file: CONTENT,
    edits: [['        duplicate++\n', '']],
  },
  {
    name: 'repeats within one transaction are not seen',
    file: CONTENT,
    edits: [['        known.add(entry)\n', '']],
  },
  {
    name: 'an id is known without its dataset',
    file: IDENTITY,
    edits: [['`${datasetId}\\0${eventId}`', '`${eventId}`']],
  },
  {
    name: 'another payload under a taken id is taken too',
    file: JUDGE,
    edits: [["if (held === 'other')", "if (held === ('never' as string))"]],
  },
  // The router.
  {
    name: 'the high-water of raw offsets is one too high',
    file: ROUTE,
    edits: [['source <= highWater', 'source <= highWater + 1']],
  },
  {
    name: 'the router’s position is committed before the records',
    file: ROUTER,
    edits: [
      [
        '    await open.begin()\n    for (const records of routed',
        '    await open.begin(); await open.sendOffset(consumer, { ...where, offset: after }, highWaterMetadata(routed ? routed.highWater : src)); await open.commit()\n    await open.begin()\n    for (const records of routed',
      ],
    ],
  },
  {
    name: 'the router’s new owner does not fence the one before',
    file: ROUTER,
    edits: [
      [
        'producer = await openProducer(deps.sharedTransactionalId(partition))',
        'producer = await openProducer(`${deps.sharedTransactionalId(partition)}-${deps.newOwner()}`)',
      ],
    ],
  },
  {
    name: 'a lane of its own does not write down where it stands',
    file: 'services/subscriber-router/own-lane.ts',
    edits: [['    await producer.send([stateRecord(deps.router, partition, subscription, after)])\n', '']],
  },
  // Filters, which router and sinks share.
  {
    name: 'a filter is off by one',
    file: 'services/core/event/filter-evaluator.ts',
    edits: [['ordered((value) => value >= literal)', 'ordered((value) => value > literal)']],
  },
  // Files.
  {
    name: 'the manifest does not wait for its objects',
    file: DELIVER,
    edits: [
      [
        'const stored = await putRows(env.store, delivery.bucket, key, out, delivery.contentType, stats.rows, {',
        'const stored = { ...written, encoder }; void putRows(env.store, delivery.bucket, key, out, delivery.contentType, stats.rows, {',
      ],
      [
        '      rowDigest,\n      encoder,\n    })\n    return {\n      key,\n      rows: stats.rows,',
        '      rowDigest,\n      encoder,\n    }).catch(() => undefined)\n    return {\n      key,\n      rows: stats.rows,',
      ],
    ],
  },
  {
    name: 'an object that was there before is described as this encoder would have made it',
    file: PUT,
    edits: [
      [
        '  return {\n    bytes: found.length,\n    sha256: stored.sha256 ??',
        '  return written\n  return {\n    bytes: found.length,\n    sha256: stored.sha256 ??',
      ],
    ],
  },
  {
    name: 'a manifest chains on another hash than the stored one’s',
    file: MANIFEST,
    edits: [
      [
        'start: source.start, sha256 })',
        'start: source.start, sha256: sha256Hex(Buffer.from(JSON.stringify(content))) })',
      ],
    ],
  },
  {
    name: 'a manifest that was there before is taken for this batch’s',
    file: MANIFEST,
    edits: [
      [
        "if (await putOnce(store, bucket, name, { bytes }, { contentType: 'application/json' }))",
        "if ((await putOnce(store, bucket, name, { bytes }, { contentType: 'application/json' })) || bytes)",
      ],
    ],
  },
  {
    name: 'records that a filter leaves out are counted as none of the events',
    file: DELIVERY,
    edits: [
      ["if (!selection.matches(body)) return 'filtered'", "if (!selection.matches(body)) return 'control'"],
    ],
  },
  // Tables.
  {
    name: 'the token does not tell the range',
    file: TOKEN,
    edits: [[':${start}-${end}`', '`']],
  },
  {
    name: 'nothing is counted after an unclean insert',
    file: EXACTLY,
    edits: [
      [
        '(await missingRows(target, rows)).filter((row) => !refused.has(row))',
        '[] as number[]; void missingRows',
      ],
    ],
  },
  {
    name: 'a replayed plan is inserted as if nobody had tried before',
    file: TABLE,
    edits: [['pinned !== null || isFirst', 'pinned === null && isFirst']],
  },
  {
    name: 'the first batch of an owner is inserted as if nobody had tried before',
    file: TABLE,
    edits: [['pinned !== null || isFirst', 'pinned !== null']],
  },
  {
    name: 'a batch is repeated under another token before it is counted',
    file: EXACTLY,
    edits: [
      [
        '    await settle(target)\n    const missing',
        '    await settle(target)\n    if (round === 1) await insert(target, rows.bytes(), tokenOf(target, 99))\n    const missing',
      ],
    ],
  },
  {
    name: 'a batch is repeated under its token before it is counted',
    file: EXACTLY,
    edits: [
      [
        '    await settle(target)\n    const missing',
        '    await settle(target)\n    if (round === 1) await insert(target, rows.bytes(), tokenOf(target, 1))\n    const missing',
      ],
    ],
  },
  {
    name: 'rows past the ledger are not looked for',
    file: LEDGER,
    edits: [
      ['found && found.found > 0 ? found.highest : -1', 'found && found.found < 0 ? found.highest : -1'],
    ],
  },
  {
    name: 'blocks are cut differently at every try',
    file: TABLE,
    edits: [
      [
        'settings: insertSettings(blockRows),',
        'settings: insertSettings(1 + (Number(nonce().slice(1)) % 4)),',
      ],
    ],
  },
  {
    name: 'the ledger is written before the rows',
    file: TABLE,
    edits: [
      [
        'const outcome = await insertExactly(target, rows, mayHaveBegun || isStray)',
        'await recordBatch(clickhouse, partition, table, plan, { records, inserted: 0, skipped, rejected: 0 }); const outcome = await insertExactly(target, rows, mayHaveBegun || isStray)',
      ],
    ],
  },
  {
    name: 'a batch is inserted however long ago its plan was confirmed',
    file: EXACTLY,
    edits: [
      ['const beforeSending = target.hold.requireFresh', 'const beforeSending = () => {}'],
      ['  await target.hold.confirm()\n', ''],
    ],
  },
  // The collector.
  {
    name: 'the collector answers before Kafka does',
    file: KEEPER,
    edits: [['await producer.produce(records)', 'producer.produce(records).catch(() => undefined)']],
  },
  {
    name: 'a retry gets new ids',
    file: COLLECTOR,
    edits: [['eventId ?? idempotentEventId(digests[index]!)', 'eventId ?? env.nextEventId()']],
  },
  {
    name: 'the collector answers before chunks are kept',
    file: COLLECTOR,
    edits: [
      [
        'await env.recordings.keeper.keep(chunks)',
        'void env.recordings.keeper.keep(chunks).catch(() => undefined)',
      ],
    ],
  },
  // Recordings.
  {
    name: 'where a chunk lies leaves out what lies before it',
    file: BLOCKS,
    edits: [['ends.set(key, from + one.compressed.length)', 'ends.set(key, one.compressed.length)']],
  },
  // Persons.
  {
    name: 'what events say of persons is sent on, and the position committed apart',
    file: REPARTITION,
    edits: [
      [
        "await open.sendOffset(consumer, { ...where, offset: after }, '')",
        "await consumer.commit([{ ...where, offset: after, metadata: '' }])",
      ],
    ],
  },
  {
    name: 'who sends on what is said of persons does not fence the one before',
    file: REPARTITION,
    edits: [
      [
        'const id = deps.transactionalId(where.partition)',
        'const id = deps.transactionalId(where.partition) + clock.monotonic()',
      ],
    ],
  },
  {
    name: 'an id counts as seen although its transaction was not committed',
    file: REPARTITION,
    edits: [['      await open.begin()\n', '      sightings.keep()\n      await open.begin()\n']],
  },
  {
    name: 'the writer of persons goes on where the group stands',
    file: RESOLVE,
    edits: [
      [
        'return claim.next ?? 0',
        'const [at] = await consumer.committed([where]); claim = { ...claim, next: at?.offset ?? 0 }; return at?.offset ?? 0',
      ],
      [
        '      await store.commit(own',
        "      await consumer.commit([{ ...where, offset: resolved.step.next, metadata: '' }])\n      await store.commit(own",
      ],
    ],
  },
  {
    name: 'what became of persons is told by an owner of before as well',
    file: RESOLVE,
    edits: [
      [
        'const id = deps.transactionalId(partition)',
        'const id = deps.transactionalId(partition) + clock.monotonic()',
      ],
    ],
  },
  {
    name: 'numbers of rows to be told begin again with every batch',
    file: RESOLVED,
    edits: [['seq: claim.outboxSeq + index + 1', 'seq: index + 1']],
  },
  {
    name: 'rows of persons are taken for told before they are',
    file: PUBLISHER,
    edits: [
      [
        "        await failPoint('before_topic')\n",
        "        await store.told(partition, last.seq)\n        await failPoint('before_topic')\n",
      ],
    ],
  },
]

/** @throws Error when a text to replace does not stand there exactly once */
export function plant(bug: PlantedBug, source: string): string {
  let planted = source
  for (const [find, replace] of bug.edits) {
    const parts = planted.split(find)
    if (parts.length !== 2)
      throw new Error(
        `“${bug.name}”: ${JSON.stringify(find)} stands ${parts.length - 1} times in ${bug.file}.`,
      )
    planted = parts.join(replace)
  }
  return planted
}
