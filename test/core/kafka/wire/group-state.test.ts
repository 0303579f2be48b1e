import { expect, test } from 'vitest'
import { CODES } from '../../../../services/core/kafka/wire/errors.ts'
import {
  type MemberEvent,
  type MemberPhase,
  type MemberRequest,
  type MemberState,
  react,
  UNJOINED,
} from '../../../../services/core/kafka/wire/group-state.ts'

const at = (phase: MemberPhase, generationId = 4): MemberState => ({ phase, memberId: 'me', generationId })
const refused = (by: MemberRequest, code: number, sent = at('stable')): MemberEvent => ({
  type: 'refused',
  by,
  code,
  memberId: sent.memberId,
  generationId: sent.generationId,
})
const outcome = (state: MemberState, event: MemberEvent) => {
  const { state: next, effect } = react(state, event)
  return `${next.phase} ${next.memberId} ${next.generationId}: ${effect}`
}

test('each refusal has its stated reaction', () => {
  const table: [MemberPhase, MemberRequest, keyof typeof CODES, string][] = [
    ['stable', 'heartbeat', 'REBALANCE_IN_PROGRESS', 'due me 4: none'],
    ['stable', 'heartbeat', 'UNKNOWN_MEMBER_ID', 'unjoined  -1: lost'],
    ['stable', 'heartbeat', 'ILLEGAL_GENERATION', 'unjoined  -1: lost'],
    ['stable', 'heartbeat', 'FENCED_INSTANCE_ID', 'ended me 4: fenced'],
    ['stable', 'heartbeat', 'NOT_COORDINATOR', 'stable me 4: find_coordinator'],
    ['stable', 'heartbeat', 'COORDINATOR_LOAD_IN_PROGRESS', 'stable me 4: find_coordinator'],
    ['due', 'heartbeat', 'UNKNOWN_MEMBER_ID', 'unjoined  -1: lost'],
    ['stable', 'commit', 'UNKNOWN_MEMBER_ID', 'unjoined  -1: lost'],
    ['stable', 'commit', 'ILLEGAL_GENERATION', 'unjoined  -1: lost'],
    ['stable', 'commit', 'FENCED_INSTANCE_ID', 'ended me 4: fenced'],
    ['joining', 'join', 'UNKNOWN_MEMBER_ID', 'unjoined  -1: lost'],
    ['joining', 'join', 'FENCED_INSTANCE_ID', 'ended me 4: fenced'],
    ['joining', 'join', 'NOT_COORDINATOR', 'due me 4: find_coordinator'],
    ['joining', 'join', 'COORDINATOR_LOAD_IN_PROGRESS', 'due me 4: find_coordinator'],
    ['joining', 'join', 'INCONSISTENT_GROUP_PROTOCOL', 'ended me 4: refused'],
    ['joining', 'join', 'INVALID_SESSION_TIMEOUT', 'ended me 4: refused'],
    ['syncing', 'sync', 'REBALANCE_IN_PROGRESS', 'due me 4: none'],
    ['syncing', 'sync', 'UNKNOWN_MEMBER_ID', 'unjoined  -1: lost'],
    ['syncing', 'sync', 'ILLEGAL_GENERATION', 'unjoined  -1: lost'],
  ]
  for (const [phase, by, code, expected] of table)
    expect(`${phase} ${by} ${code} ${outcome(at(phase), refused(by, CODES[code]))}`).toBe(
      `${phase} ${by} ${code} ${expected}`,
    )
})

test('heartbeats and commits that were sent before a rebalance say nothing about what came after', () => {
  for (const by of ['heartbeat', 'commit'] as const)
    for (const code of [CODES.ILLEGAL_GENERATION, CODES.UNKNOWN_MEMBER_ID, CODES.REBALANCE_IN_PROGRESS]) {
      expect(outcome(at('joining'), refused(by, code))).toBe('joining me 4: none')
      expect(outcome(at('syncing', 5), refused(by, code))).toBe('syncing me 5: none')
      expect(outcome(at('stable', 5), refused(by, code))).toBe('stable me 5: none')
    }
  const late = refused('heartbeat', CODES.FENCED_INSTANCE_ID, { ...at('stable'), memberId: 'earlier' })
  expect(outcome(at('stable'), late)).toBe('stable me 4: none')
})

test('a first join is asked again with the member id that the coordinator gives', () => {
  const joining = react(UNJOINED, { type: 'joining' }).state
  const event = refused('join', CODES.MEMBER_ID_REQUIRED, { ...UNJOINED, memberId: 'given' })
  expect(outcome(joining, event)).toBe('unjoined given -1: none')
})

test('a join or sync without an answer begins again, and nothing held is lost', () => {
  expect(outcome(at('joining'), { type: 'unanswered', by: 'join' })).toBe('due me 4: find_coordinator')
  expect(outcome(at('syncing'), { type: 'unanswered', by: 'sync' })).toBe('due me 4: find_coordinator')
  expect(outcome(at('joining', -1), { type: 'unanswered', by: 'join' })).toBe(
    'unjoined me -1: find_coordinator',
  )
  expect(outcome(at('stable'), { type: 'unanswered', by: 'heartbeat' })).toBe('stable me 4: find_coordinator')
})

test('who left, or ended, is out: nothing brings an ended member back', () => {
  expect(outcome(at('stable'), { type: 'left' })).toBe('unjoined  -1: lost')
  for (const type of ['joining', 'synced', 'due', 'left'] as const)
    expect(outcome(at('ended'), { type })).toBe('ended me 4: none')
})

test('the way of a member: joined, synchronised, told of a rebalance, joined again', () => {
  const events: MemberEvent[] = [
    { type: 'joining' },
    { type: 'joined', memberId: 'me', generationId: 1 },
    { type: 'synced' },
    refused('heartbeat', CODES.REBALANCE_IN_PROGRESS, at('stable', 1)),
    { type: 'joining' },
    { type: 'joined', memberId: 'me', generationId: 2 },
    { type: 'synced' },
  ]
  let state = UNJOINED
  const phases = events.map((event) => {
    const next = react(state, event)
    state = next.state
    return `${state.phase} ${state.generationId}`
  })
  expect(phases).toEqual([
    'joining -1',
    'syncing 1',
    'stable 1',
    'due 1',
    'joining 1',
    'syncing 2',
    'stable 2',
  ])
})
