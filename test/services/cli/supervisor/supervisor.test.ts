import { expect, test } from 'vitest'
import {
  type ProcessExit,
  type RunningProcess,
  Supervisor,
  type Unit,
  type UnitStatus,
} from '../../../../services/cli/supervisor/supervisor.ts'
import { createManualClock, settle } from '../../../helpers/manual-clock.ts'

/** Units that do as they are told, and everything the supervisor did to them, in order. */
function createWorld() {
  const clock = createManualClock()
  const effects: string[] = []
  const changes: string[] = []
  let nextPid = 100
  const exits = new Map<string, (exit: ProcessExit) => void>()
  const problems = new Map<string, string | null>()
  const startFaults = new Map<string, string>()

  const unit = (name: string, kind: Unit['kind'] = 'stage'): Unit => ({
    name,
    kind,
    opsPort: null,
    async start(): Promise<RunningProcess> {
      effects.push(`${clock.monotonic()} start ${name}`)
      const fault = startFaults.get(name)
      if (fault) throw new Error(fault)
      const { promise: exited, resolve } = Promise.withResolvers<ProcessExit>()
      exits.set(name, resolve)
      return {
        pid: nextPid++,
        exited,
        stop: async () => {
          effects.push(`stop ${name}`)
          await clock.sleep(10)
          effects.push(`gone ${name}`)
          resolve({ code: 0, signal: null })
        },
        kill: async () => resolve({ code: null, signal: 'SIGKILL' }),
      }
    },
    problem: async () => problems.get(name) ?? null,
  })
  return {
    clock,
    effects,
    changes,
    problems,
    startFaults,
    unit,
    supervise(...units: readonly Unit[]) {
      const onChange = (status: readonly UnitStatus[]) => {
        const line = status.map(({ name, state }) => `${name} ${state}`).join(', ')
        if (changes.at(-1) !== line) changes.push(line)
      }
      const prepare = async () => {
        if (units.some(({ kind }) => kind === 'engine')) effects.push('prepare')
      }
      return new Supervisor(units, { clock, onChange, pollMs: 100, pollReadyMs: 1000, prepare })
    },
    async exit(name: string, code: number) {
      exits.get(name)?.({ code, signal: null })
      await settle()
    },
  }
}

test('a process whose settings are wrong is not started again, and everything else goes on', async () => {
  const world = createWorld()
  const supervisor = world.supervise(world.unit('a'), world.unit('b'))
  world.problems.set('a', 'It does not answer yet.')
  const started = supervisor.start()
  await settle()
  await world.exit('a', 2)
  await started
  await world.clock.advance(60_000)
  expect(world.effects).toEqual(['0 start a', '0 start b'])
  expect(supervisor.status()).toMatchObject([
    { name: 'a', state: 'failed', pid: null, restarts: 0, problem: expect.stringContaining('settings') },
    { name: 'b', state: 'ready', pid: 101 },
  ])
})

test('a process that exits is started again after waits that double up to ten seconds', async () => {
  const world = createWorld()
  const supervisor = world.supervise(world.unit('a'))
  await supervisor.start()
  for (const wait of [200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]) {
    const starts = world.effects.length
    await world.exit('a', 1)
    expect(supervisor.status()).toMatchObject([{ state: 'waiting', problem: 'It exited with status 1.' }])
    await world.clock.advance(wait - 1)
    expect(world.effects).toHaveLength(starts)
    await world.clock.advance(1)
    expect(world.effects).toHaveLength(starts + 1)
  }
  expect(supervisor.status()).toMatchObject([{ state: 'ready', restarts: 8 }])
})

test('half a minute of running makes the next wait short again', async () => {
  const world = createWorld()
  const supervisor = world.supervise(world.unit('a'))
  await supervisor.start()
  await world.exit('a', 1)
  await world.clock.advance(200)
  await world.exit('a', 1)
  await world.clock.advance(400)
  await world.clock.advance(30_000)
  await world.exit('a', 1)
  await world.clock.advance(200)
  expect(world.effects).toEqual(['0 start a', '200 start a', '600 start a', '30800 start a'])
})

test('a start that fails counts as an exit', async () => {
  const world = createWorld()
  const supervisor = world.supervise(world.unit('a'))
  world.startFaults.set('a', 'no such command')
  const started = supervisor.start()
  await settle()
  expect(supervisor.status()).toMatchObject([{ state: 'waiting', problem: 'no such command' }])
  world.startFaults.delete('a')
  await world.clock.advance(200)
  await started
  expect(supervisor.status()).toMatchObject([{ state: 'ready', problem: null, restarts: 1 }])
})

test('stages start when every engine is ready and what they need is prepared', async () => {
  const world = createWorld()
  world.problems.set('kafka', 'recovering')
  const supervisor = world.supervise(
    world.unit('stage'),
    world.unit('kafka', 'engine'),
    world.unit('s3', 'engine'),
  )
  const started = supervisor.start()
  await world.clock.advance(500)
  expect(world.effects).toEqual(['0 start kafka', '0 start s3'])
  world.problems.delete('kafka')
  await world.clock.advance(100)
  await started
  expect(world.effects.slice(2)).toEqual(['prepare', '600 start stage'])
})

test('an engine that does not start the first time ends the start, without a stage having run', async () => {
  const world = createWorld()
  world.startFaults.set('kafka', 'kafka did not come up')
  const supervisor = world.supervise(
    world.unit('s3', 'engine'),
    world.unit('kafka', 'engine'),
    world.unit('stage'),
  )
  await expect(supervisor.start()).rejects.toThrow('kafka did not come up')
  const stopped = supervisor.stop()
  await world.clock.advance(10)
  await stopped
  expect(world.effects).toEqual(['0 start s3', '0 start kafka', 'stop s3', 'gone s3'])
})

test('an engine that dies later is started again', async () => {
  const world = createWorld()
  const supervisor = world.supervise(world.unit('kafka', 'engine'))
  await supervisor.start()
  await supervisor.kill('kafka')
  await world.clock.advance(200)
  expect(world.effects).toEqual(['0 start kafka', 'prepare', '200 start kafka'])
  expect(world.changes).toEqual([
    'kafka starting',
    'kafka ready',
    'kafka waiting',
    'kafka starting',
    'kafka ready',
  ])
})

test('engines are stopped when every stage is gone', async () => {
  const world = createWorld()
  const supervisor = world.supervise(world.unit('kafka', 'engine'), world.unit('a'), world.unit('b'))
  await supervisor.start()
  world.effects.length = 0
  const stopped = supervisor.stop()
  await world.clock.advance(10)
  await world.clock.advance(10)
  await stopped
  expect(world.effects).toEqual(['stop a', 'stop b', 'gone a', 'gone b', 'stop kafka', 'gone kafka'])
  expect(supervisor.status().map(({ state }) => state)).toEqual(['stopped', 'stopped', 'stopped'])
})

test('nothing is started again once it is stopping', async () => {
  const world = createWorld()
  const supervisor = world.supervise(world.unit('a'))
  await supervisor.start()
  await world.exit('a', 1)
  await supervisor.stop()
  await world.clock.advance(60_000)
  expect(world.effects).toEqual(['0 start a'])
  expect(supervisor.status()).toMatchObject([{ state: 'stopped', pid: null }])
})

test('a process that is asked to stop while it starts does not stay behind', async () => {
  const world = createWorld()
  const slow = world.unit('a')
  const gate = Promise.withResolvers<void>()
  const supervisor = world.supervise({
    ...slow,
    start: async () => {
      await gate.promise
      return slow.start()
    },
  })
  void supervisor.start()
  await settle()
  const stopped = supervisor.stop()
  gate.resolve()
  await world.clock.advance(10)
  await stopped
  expect(world.effects).toEqual(['0 start a', 'stop a', 'gone a'])
})

test('a stage that was ready and is not any more says so, and goes back', async () => {
  const world = createWorld()
  const supervisor = world.supervise(world.unit('a'))
  await supervisor.start()
  world.problems.set('a', 'kafka: no answer')
  await world.clock.advance(1000)
  expect(supervisor.status()).toMatchObject([{ state: 'unready', problem: 'kafka: no answer' }])
  world.problems.delete('a')
  await world.clock.advance(100)
  expect(supervisor.status()).toMatchObject([{ state: 'ready', problem: null }])
})
