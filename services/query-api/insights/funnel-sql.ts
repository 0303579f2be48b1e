import type { Bindings } from '../query/bindings.ts'
import type { Breakdown } from './breakdown.ts'
import { type BreakdownValues, binSql, breakdownSql } from './breakdown-sql.ts'
import { eventOrder } from './event-order.ts'
import { actorSql, entitySql, eventRowsSql, isSomebodySql } from './event-rows.ts'
import type { Entity, Frame } from './frame.ts'
import type { Attribution, Exclusion, FunnelRequest } from './funnel-request.ts'
import { funnelRunsSql } from './funnel-runs-sql.ts'

/** A funnel with its references looked up. */
export interface Funnel {
  readonly steps: readonly Entity[]
  readonly exclusions: readonly (Entity & Exclusion)[]
  readonly order: FunnelRequest['order']
  readonly windowMs: number
  readonly breakdown: {
    readonly by: Breakdown
    readonly values: BreakdownValues
    readonly attribution: Attribution
  } | null
}

/**
 * Names of the values of a breakdown within statements: a value with a line of its own is itself behind this mark,
 * all others are {@link OTHER_SLOT}.
 */
export const OWN_SLOT = '='
export const OTHER_SLOT = 'other'

/**
 * Everybody who entered a funnel, once per value of the breakdown: `actor`, `slot`, and `runs`, an array of
 * `(level, times)`: how many steps a run reached and when, in milliseconds.
 *
 * One pass over the events of the steps. An actor's events lie in one array, in the order in which they happened, and
 * every run is computed from it in time that grows with the events and not with their pairs.
 */
export function funnelActorsSql(frame: Frame, funnel: Funnel, bindings: Bindings): string {
  const { steps, exclusions, order, breakdown } = funnel
  const isStrict = order === 'strict'
  const value = breakdown === null ? null : breakdownSql(breakdown.by, frame, bindings)
  const happened = eventRowsSql(
    frame,
    {
      fromMs: frame.fromMs,
      toMs: frame.toMs,
      columns: [
        `${actorSql(frame, bindings)} AS actor`,
        'toUnixTimestamp64Milli(event_time) AS time_ms',
        'src_partition',
        'src_offset',
        `${maskSql([...steps, ...exclusions], frame, bindings)} AS mask`,
        ...(value === null ? [] : [`${value.value} AS value`]),
      ],
      joins: value?.joins ?? [],
      // The next event of a strict funnel is any event.
      entities: isStrict ? null : [...steps, ...exclusions],
    },
    bindings,
  )
  const rows = `SELECT * FROM (${happened}) WHERE ${isSomebodySql(frame, 'actor')}`
  const perActor =
    breakdown === null
      ? everybodySql(rows, frame, steps.length + exclusions.length, bindings)
      : 'SELECT actor, slot, arrayMap(event -> event.1, happened) AS times, ' +
        `arrayMap(event -> event.4, happened) AS masks FROM (${attributedSql(rows, steps.length, breakdown, bindings)})`
  const isEntered = order === 'unordered' ? stepsMask(steps.length) : 1
  return funnelRunsSql(
    `SELECT actor, slot, times, masks FROM (${perActor}) ` +
      `WHERE arrayExists(mask -> bitAnd(mask, ${isEntered}) != 0, masks)`,
    funnel,
    bindings,
  )
}

/** Every actor's events in their order. */
function everybodySql(rows: string, frame: Frame, maskBits: number, bindings: Bindings): string {
  const { key, times, notes } = eventOrder(frame, { sql: 'mask', bits: maskBits }, bindings)
  return (
    `SELECT actor, '' AS slot, ${times('happened')} AS times, ${notes('happened')} AS masks FROM ` +
    `(SELECT actor, arraySort(groupArray(${key})) AS happened FROM (${rows}) GROUP BY actor)`
  )
}

const stepsMask = (steps: number) => 2 ** steps - 1
/** Bit of an event whose value of the breakdown is set. */
const HAS_VALUE_BIT = 40

/** Bit by bit, which of the entities an event is of. */
function maskSql(entities: readonly Entity[], frame: Frame, bindings: Bindings): string {
  return entities
    .map((entity, bit) => `if(${entitySql(entity, frame, bindings)}, toUInt64(${2 ** bit}), toUInt64(0))`)
    .reduce((mask, bit) => `bitOr(${mask}, ${bit})`)
}

/** The slot of a value of the breakdown. */
export function slotSql(value: string, values: BreakdownValues, bindings: Bindings): string {
  if (values.edges !== null) return `concat('${OWN_SLOT}', ${binSql(value, values, bindings)})`
  const own = bindings.bind(values.values, 'Array(String)')
  return `if(has(${own}, ${value}), concat('${OWN_SLOT}', ${value}), '${OTHER_SLOT}')`
}

/**
 * Per actor and value that it counts under: its events as `happened`, an ordered array of
 * `(time, partition, offset, mask, slot)`.
 */
function attributedSql(
  rows: string,
  stepCount: number,
  breakdown: NonNullable<Funnel['breakdown']>,
  bindings: Bindings,
): string {
  const { attribution, values, by } = breakdown
  const slotOf = (value: string) => slotSql(value, values, bindings)
  const event =
    '(time_ms, src_partition, src_offset, ' +
    `bitOr(mask, if(value != '', toUInt64(${2 ** HAS_VALUE_BIT}), toUInt64(0))), ${slotOf('value')})`
  const columns = `arraySort(groupArray(${event})) AS happened FROM (${rows}) GROUP BY actor`
  const slot = (element: string) => `${element}.5`
  // A person's cohorts are the same at all its events.
  if (attribution.by === 'all_events' || by.by === 'cohorts')
    return `SELECT actor, ${slotOf('value')} AS slot, ${columns}, slot`
  const none = slotOf("''")
  if (attribution.by === 'step') {
    const bit = 2 ** attribution.step
    const isAt = `bitAnd(event.4, ${bit}) != 0`
    const at = `arrayFilter(event -> ${isAt}, everything)`
    const slots = `arrayDistinct(arrayMap(event -> ${slot('event')}, ${at}))`
    // At that step an actor has, under a value, only the events with it.
    const kept =
      `arrayMap(event -> (event.1, event.2, event.3, if(${isAt} AND ${slot('event')} != slot, ` +
      `event.4 - ${bit}, event.4), ${slot('event')}), everything)`
    return (
      `SELECT actor, slot, ${kept} AS happened FROM (SELECT actor, everything, ` +
      `if(empty(${slots}), [${none}], ${slots}) AS slots FROM ` +
      `(SELECT actor, ${columns.replace('AS happened', 'AS everything')})) ARRAY JOIN slots AS slot`
    )
  }
  const touched = attribution.by === 'first_touch' ? 'arrayFirst' : 'arrayLast'
  const counts = `bitAnd(event.4, ${stepsMask(stepCount)}) != 0 AND bitTest(event.4, ${HAS_VALUE_BIT})`
  const found = `${touched}(event -> ${counts}, happened).5`
  return `SELECT actor, if(${found} = '', ${none}, ${found}) AS slot, happened FROM (SELECT actor, ${columns})`
}
