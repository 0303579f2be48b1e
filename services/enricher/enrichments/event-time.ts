import { readTime } from '../timestamps.ts'

/** A client's time may be this far past the collector's before it is taken for wrong, milliseconds: 23 hours. */
export const FUTURE_MAX_MS = 23 * 3_600_000

export interface EventTime {
  /** Epoch milliseconds. */
  readonly eventTime: number
  /** Event time minus the client's own timestamp, milliseconds; 0 where there is no readable one. */
  readonly correctedMs: number
  readonly flag: 'future' | 'unreadable' | null
}

/**
 * When did it happen?
 *
 * | sent                     | event time                                            |
 * |--------------------------|-------------------------------------------------------|
 * | timestamp and sent_at    | collector_time + (timestamp − sent_at)                |
 * | timestamp                | timestamp                                             |
 * | offset                   | collector_time − offset                               |
 * | nothing                  | collector_time                                        |
 * | more than 23 h ahead     | collector_time, flag `future`                         |
 * | unreadable, before 1970  | collector_time, flag `unreadable`                     |
 *
 * The first rule takes the client's clock error out, because both times come from the same clock. A sent_at that
 * cannot be read counts as not sent.
 *
 * @param timestamp     ISO text or epoch ms, as sent
 * @param offsetMs      how long before sending it happened
 * @param sentAt        as sent
 * @param collectorTime epoch ms
 */
export function eventTime(
  timestamp: string | number | null,
  offsetMs: number | null,
  sentAt: string | null,
  collectorTime: number,
): EventTime {
  const client = timestamp === null ? null : readTime(timestamp)
  if (timestamp !== null && client === null)
    return { eventTime: collectorTime, correctedMs: 0, flag: 'unreadable' }
  const corrected = correct(client, offsetMs, sentAt, collectorTime)
  const flag = corrected - collectorTime > FUTURE_MAX_MS ? 'future' : corrected < 0 ? 'unreadable' : null
  const time = flag === null ? corrected : collectorTime
  return { eventTime: time, correctedMs: client === null ? 0 : time - client, flag }
}

function correct(
  client: number | null,
  offsetMs: number | null,
  sentAt: string | null,
  collectorTime: number,
): number {
  if (client !== null) {
    const sent = sentAt === null ? null : readTime(sentAt)
    return sent === null ? client : collectorTime + (client - sent)
  }
  return offsetMs === null ? collectorTime : collectorTime - Math.round(offsetMs)
}
