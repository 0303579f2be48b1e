import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { PLANNED_FAIL_POINTS } from '../../../services/core/stream/planned-batch.ts'
import { decodeCommitted } from '../../../services/core/stream/planned-plan.ts'
import {
  batchOf,
  type CommitFate,
  Crash,
  feed,
  type PlannedWorld,
  plannedWorld,
  recordsAt,
} from './planned-world.ts'

const seven = () => plannedWorld(recordsAt([0, 1, 2, 4, 5, 6, 9]))

/** Every delivered range in order, and that together they leave no hole and overlap nowhere. */
function rangesOf(world: PlannedWorld): string[] {
  const effects = [...world.held.values()].sort((a, b) => a.start - b.start)
  for (const [index, effect] of effects.entries())
    expect(effect.start).toBe(index === 0 ? 0 : effects[index - 1]!.end + 1)
  return effects.map(({ start, end }) => `${start}–${end}`)
}

const deliveredOffsets = (world: PlannedWorld) =>
  [...world.held.values()].sort((a, b) => a.start - b.start).flatMap((effect) => effect.offsets)

async function failure(run: Promise<unknown>): Promise<DependencyError> {
  const error = await run.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(DependencyError)
  return error as DependencyError
}

/** A plan for 0–2 is committed, nothing was written, the process is gone. */
async function crashedAfterPlan(): Promise<PlannedWorld> {
  const world = seven()
  const worker = world.startProcess().worker()
  await worker.start()
  world.crashAt = 'after_plan'
  await expect(worker.process(batchOf(world.records.slice(0, 3)))).rejects.toThrow(Crash)
  world.crashAt = null
  return world
}

test('a plan is committed before its effect and the next range after it, without a gap', async () => {
  const world = seven()
  const worker = world.startProcess().worker()
  await feed(world, worker, await worker.start())
  expect(world.journal).toEqual([
    'commit plan 0',
    'deliver 0–2',
    'commit done 3',
    'commit plan 3',
    'deliver 3–6',
    'commit done 7',
  ])
  await worker.stop('stopping')
  expect(world.journal.at(-1)).toBe('discard')
})

test('a commit that was refused but answered as a success is not believed, and repeated unchanged', async () => {
  const world = seven()
  world.fates = ['refuse_silently']
  const worker = world.startProcess().worker()
  await worker.start()
  await worker.process(batchOf(world.records.slice(0, 3)))
  expect(world.journal).toEqual([
    'commit plan 0 (refuse_silently)',
    'commit plan 0',
    'deliver 0–2',
    'commit done 3',
  ])
})

test('a plan that is always refused never has its effect', async () => {
  const world = seven()
  world.fates = Array(3).fill('refuse_silently')
  const worker = world.startProcess().worker()
  await worker.start()
  const error = await failure(worker.process(batchOf(world.records.slice(0, 3))))
  expect([error.code, error.retriable]).toEqual(['outcome_unknown', true])
  expect(world.held.size).toBe(0)
})

test('an accepted commit for a partition that was lost meanwhile has no effect', async () => {
  const world = seven()
  world.onCommit = () => {
    world.assigned = false
    world.epoch++
  }
  const worker = world.startProcess().worker()
  await worker.start()
  const error = await failure(worker.process(batchOf(world.records.slice(0, 3))))
  expect(error.code).toBe('not_assigned')
  expect(world.held.size).toBe(0)
})

test('a rebalance that leaves the partition here only asks once more', async () => {
  const world = seven()
  world.onCommit = () => {
    world.epoch++
    world.onCommit = null
  }
  const worker = world.startProcess().worker()
  await worker.start()
  await worker.process(batchOf(world.records.slice(0, 3)))
  expect(world.journal).toEqual(['commit plan 0', 'commit plan 0', 'deliver 0–2', 'commit done 3'])
})

test('a commit of another process is seen at the read-back and ends the worker', async () => {
  const world = seven()
  world.onCommit = () => {
    world.committed = { offset: 3, metadata: '' }
  }
  const worker = world.startProcess().worker()
  await worker.start()
  const error = await failure(worker.process(batchOf(world.records.slice(0, 3))))
  expect(error.code).toBe('not_assigned')
  expect(world.held.size).toBe(0)
})

test('a plan of unknown outcome never comes back: the next worker waits for a generation in which it is refused', async () => {
  const world = seven()
  world.fates = ['fail', 'fail', 'late']
  const process = world.startProcess()
  const first = process.worker()
  await first.start()
  const error = await failure(first.process(batchOf(world.records.slice(0, 3))))
  expect(error.code).toBe('outcome_unknown')
  await first.stop('failed')

  world.limits = { ...world.limits, rows: 5 } // The plan made anew is another one.
  const second = process.worker()
  await feed(world, second, await second.start())
  expect(rangesOf(world)).toEqual(['0–5'])
})

test('a position whose commit was answered only at the second try cannot come back over the next plan', async () => {
  const world = seven()
  world.fates = ['apply', 'late', 'apply']
  const worker = world.startProcess().worker()
  await worker.start()
  const { generation } = world
  await worker.process(batchOf(world.records.slice(0, 3)))
  expect(world.generation).toBe(generation)
  world.crashAt = 'after_plan'
  await expect(feed(world, worker, 3)).rejects.toThrow(Crash)
  expect(world.generation).toBe(generation + 1)
  expect(decodeCommitted(world.committed.offset!, world.committed.metadata).kind).toBe('plan')
})

test('without a new generation nothing is planned after an unanswered commit', async () => {
  const world = seven()
  world.renews = false
  world.fates = ['late', 'apply']
  const worker = world.startProcess().worker()
  await worker.start()
  await worker.process(batchOf(world.records.slice(0, 3)))
  const error = await failure(feed(world, worker, 3))
  expect([error.code, error.retriable]).toEqual(['timeout', true])
  expect(rangesOf(world)).toEqual(['0–2'])
})

test('a delivery that stood still for longer than a session has to be confirmed', async () => {
  const world = seven()
  const worker = world.startProcess().worker()
  await worker.start()
  world.onDeliver = async (hold) => {
    world.nowMs += 10_000
    hold.requireFresh()
    world.nowMs += 1
    expect(() => hold.requireFresh()).toThrow(/confirmed 10001 ms ago/)
    await hold.confirm()
    hold.requireFresh()
    world.assigned = false
    await hold.confirm()
  }
  expect((await failure(worker.process(batchOf(world.records.slice(0, 3))))).code).toBe('not_assigned')
  expect(world.held.size).toBe(0)
})

for (const point of [...PLANNED_FAIL_POINTS, 'in_effect', 'before_done_is_sent'] as const) {
  test(`killed at ${point}, the next process delivers every range exactly once`, async () => {
    const world = seven()
    const first = world.startProcess().worker()
    await first.start()
    world.crashAt = point
    await expect(feed(world, first, 0)).rejects.toThrow(Crash)
    world.crashAt = null
    const planOpen = decodeCommitted(world.committed.offset ?? 0, world.committed.metadata).kind === 'plan'
    expect(planOpen).toBe(['after_plan', 'in_effect', 'after_effect', 'before_done_is_sent'].includes(point))

    world.limits = { ...world.limits, rows: 2 } // Rotation differs now: only a replayed plan gives the old range.
    const second = world.startProcess().worker()
    await feed(world, second, await second.start())
    expect(world.journal.some((line) => line.endsWith('replayed'))).toBe(planOpen)
    expect(rangesOf(world)[0]).toBe(point === 'before_plan' ? '0–1' : '0–2')
    expect(deliveredOffsets(world)).toEqual([0, 1, 2, 4, 5, 6, 9].slice(0, deliveredOffsets(world).length))
    expect(deliveredOffsets(world).length).toBeGreaterThanOrEqual(5)
  })
}

test('a replay runs under the configuration and the hand-over that the plan pinned', async () => {
  const world = seven()
  const first = world.startProcess().worker()
  await first.start()
  await first.process(batchOf(world.records.slice(0, 3)))
  world.crashAt = 'after_plan'
  await expect(feed(world, first, 3)).rejects.toThrow(Crash)
  world.crashAt = null
  world.config = 'config-2'
  await world.startProcess().worker().start()
  expect(world.held.get(3)).toMatchObject({ config: 'config-1', carry: 'after 0', offsets: [4, 5, 6] })
})

test('a partition that is lost while its plan is read again is left to the next owner', async () => {
  const world = await crashedAfterPlan()
  world.onRead = () => {
    world.assigned = false
  }
  expect((await failure(world.startProcess().worker().start())).code).toBe('not_assigned')
  expect(world.held.size).toBe(0)
})

test('a replay whose pinned configuration is gone stops the partition', async () => {
  const world = await crashedAfterPlan()
  world.knownConfigs.delete('config-1')
  expect((await failure(world.startProcess().worker().start())).code).toBe('corrupt')
  expect(world.held.size).toBe(0)
})

const damages: Record<string, (world: PlannedWorld) => void> = {
  'a record with other bytes': (world) => {
    world.records[1] = { ...world.records[1]!, value: Buffer.from('{"event":"other"}') }
  },
  'a record that became a tombstone': (world) => {
    world.records[1] = { ...world.records[1]!, value: null }
  },
  'a record missing in the middle': (world) => world.records.splice(1, 1),
  'the last record missing': (world) => world.records.splice(2, 1),
  'the beginning removed by retention': (world) => {
    world.logStart = 1
  },
  'a truncated log': (world) => {
    world.records.splice(2)
    world.logEnd = 2
  },
  'a topic that was made again': (world) => {
    world.topicId = 'topic-2'
  },
}
for (const [damage, apply] of Object.entries(damages)) {
  test(`a replay that meets ${damage} stops the partition and writes nothing`, async () => {
    const world = await crashedAfterPlan()
    apply(world)
    const error = await failure(world.startProcess().worker().start())
    expect([error.code, error.retriable]).toEqual(['corrupt', false])
    expect(world.held.size).toBe(0)
  })
}

test('a replay to which the broker hands no records gives up for now', async () => {
  const world = await crashedAfterPlan()
  world.logEnd = 10
  world.records.splice(0)
  expect((await failure(world.startProcess().worker().start())).code).toBe('timeout')
})

test('damaged metadata stops the partition', async () => {
  const world = await crashedAfterPlan()
  world.committed = { ...world.committed, metadata: world.committed.metadata.replace('"rows":3', '"rows":4') }
  expect((await failure(world.startProcess().worker().start())).code).toBe('corrupt')
})

test('where the group’s offsets have expired, the sink says where to go on', async () => {
  const world = seven()
  const first = world.startProcess().worker()
  await feed(world, first, await first.start())
  world.committed = { offset: null, metadata: '' }
  const second = world.startProcess().worker()
  expect(await second.start()).toBe(7)
  expect(world.committed.offset).toBe(7)
  expect(rangesOf(world)).toEqual(['0–2', '3–6'])
})

test('a position behind what the sink holds is brought up to it', async () => {
  const world = seven()
  const first = world.startProcess().worker()
  await feed(world, first, await first.start())
  world.committed = { offset: 3, metadata: '' }
  expect(await world.startProcess().worker().start()).toBe(7)
  expect(world.journal).toContain('adopted')
})

test('an owner that slept while it asked finds the log longer than before, and stops nothing', async () => {
  const world = seven()
  world.logEnd = 1
  const slow = world.startProcess().worker()
  world.onTruth = () => {
    world.onTruth = null
    world.logEnd = null
    world.held.set(0, { start: 0, end: 2, offsets: [0, 1, 2], config: 'config-1', carry: '' })
  }
  expect(await slow.start()).toBe(3)
})

test('a plan of a lost owner that overtook a delivered range never has its effect', async () => {
  const world = await crashedAfterPlan()
  const latePlan = world.committed
  world.committed = { offset: null, metadata: '' }
  world.limits = { ...world.limits, rows: 2 }
  const owner = world.startProcess().worker()
  await owner.start()
  await owner.process(batchOf(world.records.slice(0, 2)))
  world.committed = latePlan
  expect(await world.startProcess().worker().start()).toBe(2)
  expect(rangesOf(world)).toEqual(['0–1'])
})

test('records that retention removed before they were delivered stop the partition', async () => {
  const world = seven()
  const first = world.startProcess().worker()
  await first.start()
  await first.process(batchOf(world.records.slice(0, 3)))
  world.logStart = 5
  expect((await failure(world.startProcess().worker().start())).code).toBe('corrupt')
})

test('a group that never committed begins with the oldest record there is', async () => {
  const world = plannedWorld(recordsAt([40, 41]))
  world.logStart = 40
  expect(await world.startProcess().worker().start()).toBe(40)
})

test('a batch closes by age on the monotonic clock, without new records', async () => {
  const world = seven()
  const worker = world.startProcess().worker()
  await worker.start()
  await worker.process(batchOf(world.records.slice(0, 1)))
  world.nowMs += 59_999
  await worker.tick()
  expect(world.held.size).toBe(0)
  world.nowMs += 1
  await worker.tick()
  expect(rangesOf(world)).toEqual(['0–0'])
})

test('the first batch of an owner is as old as its records: what waited with the owner before does not wait again', async () => {
  const world = plannedWorld(recordsAt([0, 1, 2, 3, 4, 5, 6, 7]))
  world.limits = { rows: 100, bytes: 1_000_000, ageMs: 3_000 }
  const worker = world.startProcess().worker()
  await worker.start()
  // Records land a second apart. A later batch ages from when it was opened: work left undone is done in large ones.
  await feed(world, worker, 0, 8)
  expect(rangesOf(world)).toEqual(['0–3'])
  await worker.stop('revoked')
  const next = world.startProcess().worker()
  await feed(world, next, await next.start(), 8)
  expect(rangesOf(world)).toEqual(['0–3', '4–7'])
})

test('a batch closes before the record that would take it past its bytes, and a larger record stands alone', async () => {
  const world = plannedWorld(recordsAt([0, 1, 2, 3]))
  world.records[2] = { ...world.records[2]!, value: Buffer.alloc(100) }
  world.limits = { rows: 100, bytes: 30, ageMs: 60_000 }
  const worker = world.startProcess().worker()
  await feed(world, worker, await worker.start())
  expect(rangesOf(world)).toEqual(['0–1', '2–2'])
})

test('a tombstone and a record without a source are part of the range', async () => {
  const world = plannedWorld(recordsAt([0, 1, 2]))
  world.records[1] = { ...world.records[1]!, value: null, src: null }
  const worker = world.startProcess().worker()
  await feed(world, worker, await worker.start())
  const { progress } = decodeCommitted(world.committed.offset!, world.committed.metadata) as {
    progress: { src: number }
  }
  expect([deliveredOffsets(world), progress.src]).toEqual([[0, 1, 2], 2])
})

test('a sink that fails leaves the plan open, and the next worker completes it', async () => {
  const world = seven()
  world.deliverError = new DependencyError('s3', 'unavailable', 'away')
  const process = world.startProcess()
  const first = process.worker()
  await first.start()
  expect((await failure(feed(world, first, 0))).code).toBe('unavailable')
  await first.stop('failed')
  world.deliverError = null
  expect(await process.worker().start()).toBe(3)
  expect(rangesOf(world)).toEqual(['0–2'])
})

test('whatever crashes and whatever becomes of commits, every record is delivered exactly once in contiguous ranges', async () => {
  const fate = fc.constantFrom<CommitFate>('apply', 'refuse_silently', 'apply_then_fail', 'fail', 'late')
  const life = fc.record({
    crashAt: fc.constantFrom(
      null,
      ...PLANNED_FAIL_POINTS,
      'in_effect' as const,
      'before_done_is_sent' as const,
    ),
    rows: fc.integer({ min: 1, max: 6 }),
    batch: fc.integer({ min: 1, max: 7 }),
    fates: fc.array(fate, { maxLength: 6 }),
    sameProcess: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.integer({ min: 0, max: 60 }), { minLength: 1, maxLength: 40 }),
      fc.array(life, { maxLength: 12 }),
      fc.boolean(),
      async (offsets, lives, blind) => {
        const world = plannedWorld(recordsAt(offsets.sort((a, b) => a - b)))
        // The plans alone must suffice: half of the runs get no help from the sink's truth.
        world.truthIsBlind = blind
        let process = world.startProcess()
        for (const { crashAt, rows, batch, fates, sameProcess } of lives) {
          Object.assign(world, { crashAt, fates, limits: { ...world.limits, rows } })
          if (!sameProcess) process = world.startProcess()
          const worker = process.worker()
          try {
            await feed(world, worker, await worker.start(), batch)
          } catch (error) {
            if (error instanceof Crash) process = world.startProcess()
            else if (!(error instanceof DependencyError) || !error.retriable) throw error
          }
        }
        Object.assign(world, { crashAt: null, fates: [], limits: { ...world.limits, rows: 1 } })
        const last = world.startProcess().worker()
        await feed(world, last, await last.start())
        rangesOf(world)
        expect(deliveredOffsets(world)).toEqual(offsets)
      },
    ),
    { numRuns: 500 },
  )
})
