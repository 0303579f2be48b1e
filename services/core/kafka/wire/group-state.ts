import { CODES, COORDINATOR_MOVED } from './errors.ts'

export type MemberPhase = 'unjoined' | 'joining' | 'syncing' | 'stable' | 'due' | 'ended'

export interface MemberState {
  readonly phase: MemberPhase
  /** '' before the coordinator gave one. */
  readonly memberId: string
  /** -1 while no generation is known that this member is part of. */
  readonly generationId: number
}

export type MemberRequest = 'join' | 'sync' | 'heartbeat' | 'commit'

export type MemberEvent =
  | { readonly type: 'joining' }
  | { readonly type: 'joined'; readonly memberId: string; readonly generationId: number }
  | { readonly type: 'synced' }
  /** This member wants another rebalance: it gave something up, its topics changed, or it asks for a generation. */
  | { readonly type: 'due' }
  | {
      readonly type: 'refused'
      readonly by: MemberRequest
      readonly code: number
      /** What the request was sent with; for a join the answer's member id. */
      readonly memberId: string
      readonly generationId: number
    }
  /** The connection broke or no answer came in time. */
  | { readonly type: 'unanswered'; readonly by: MemberRequest }
  /** It left the group, because nobody polled it. */
  | { readonly type: 'left' }
  | { readonly type: 'ended' }

/** What the change of state asks for. */
export type MemberEffect =
  | 'none'
  /** Ask who coordinates the group now. */
  | 'find_coordinator'
  /** Everything held is lost: it may be somebody else's by now. */
  | 'lost'
  /** Everything is lost to a process under the same instance id, for good. */
  | 'fenced'
  /** The coordinator will not have this member, whatever is tried. */
  | 'refused'

export const UNJOINED: MemberState = { phase: 'unjoined', memberId: '', generationId: -1 }

/**
 * The member of a group, as a pure function of what happens to it.
 *
 * ```
 *                 ┌──────────────── REBALANCE_IN_PROGRESS, given something up, topics changed ─────────────┐
 *                 ▼                                                                                        │
 *  unjoined ─▶ joining ──answer──▶ syncing ──answer──▶ stable ──▶ due (callbacks end first) ─▶ joining …  ─┘
 *     ▲           │ MEMBER_ID_REQUIRED: again with the id given
 *     │           │ unanswered, coordinator moved or loading: again, what is held stays held
 *     ├───────────┴── UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, not polled: everything is lost
 *     └ ended ◀────── FENCED_INSTANCE_ID: everything is lost; refused for good: told; closed
 * ```
 *
 * Heartbeats and commits are answered beside all this, and late: one that was sent with another generation or member id
 * than the present, or while a join is under way, says nothing about the present. The join's own answer does.
 */
export function react(
  state: MemberState,
  event: MemberEvent,
): { readonly state: MemberState; readonly effect: MemberEffect } {
  if (state.phase === 'ended') return same(state)
  switch (event.type) {
    case 'joining':
      return same({ ...state, phase: 'joining' })
    case 'joined':
      return same({ phase: 'syncing', memberId: event.memberId, generationId: event.generationId })
    case 'synced':
      return same({ ...state, phase: 'stable' })
    case 'due':
      return same(state.phase === 'stable' ? { ...state, phase: 'due' } : state)
    case 'left':
      return { state: UNJOINED, effect: 'lost' }
    case 'ended':
      return same({ ...state, phase: 'ended' })
    case 'unanswered':
      return { state: again(state, event.by), effect: 'find_coordinator' }
    case 'refused':
      return refused(state, event)
  }
}

function refused(
  state: MemberState,
  { by, code, memberId, generationId }: Extract<MemberEvent, { type: 'refused' }>,
): { readonly state: MemberState; readonly effect: MemberEffect } {
  const isBeside = by === 'heartbeat' || by === 'commit'
  if (COORDINATOR_MOVED.has(code)) return { state: again(state, by), effect: 'find_coordinator' }
  if (isBeside && memberId !== state.memberId) return same(state)
  if (code === CODES.FENCED_INSTANCE_ID) return { state: { ...state, phase: 'ended' }, effect: 'fenced' }
  const isSettled = state.phase === 'stable' || state.phase === 'due'
  if (isBeside && (!isSettled || generationId !== state.generationId)) return same(state)
  switch (code) {
    case CODES.MEMBER_ID_REQUIRED:
      return same({ phase: 'unjoined', memberId, generationId: -1 })
    case CODES.REBALANCE_IN_PROGRESS:
      // To a commit it says that a generation is about to begin, of which this member is one: nothing to do but wait.
      return same(by === 'commit' ? state : { ...state, phase: 'due' })
    case CODES.UNKNOWN_MEMBER_ID:
    case CODES.ILLEGAL_GENERATION:
      return { state: UNJOINED, effect: 'lost' }
  }
  if (isBeside) return same(state)
  if (PERMANENT.has(code)) return { state: { ...state, phase: 'ended' }, effect: 'refused' }
  return { state: again(state, by), effect: 'find_coordinator' }
}

/** A join or sync that came to nothing is begun again from the join; the coordinator takes it for the same member. */
function again(state: MemberState, by: MemberRequest): MemberState {
  if (by !== 'join' && by !== 'sync') return state
  if (state.phase !== 'joining' && state.phase !== 'syncing') return state
  return { ...state, phase: state.generationId < 0 ? 'unjoined' : 'due' }
}

function same(state: MemberState): { readonly state: MemberState; readonly effect: 'none' } {
  return { state, effect: 'none' }
}

/** Answers to a join that stay the same however often it is asked. */
const PERMANENT: ReadonlySet<number> = new Set([
  CODES.INCONSISTENT_GROUP_PROTOCOL,
  CODES.INVALID_GROUP_ID,
  CODES.INVALID_SESSION_TIMEOUT,
  CODES.GROUP_MAX_SIZE_REACHED,
  30, // no permission for the group
])
