import type { IncomingMessage } from 'node:http'
import { type HttpAnswer, type HttpFaultPlan, openHttpDouble } from './http-double.ts'

/** What a ClickHouse server may do to requests. */
export type ClickHouseFault =
  /** It answers with an error of its own and does nothing. */
  | { readonly kind: 'refuse'; readonly error: ClickHouseErrorName }
  /** It carries the request out and answers with an error all the same, as one that fails after the rows are in place. */
  | { readonly kind: 'lie'; readonly error: ClickHouseErrorName }
  /** Its answer comes so much later, ms. */
  | { readonly kind: 'late'; readonly ms: number }

export interface ClickHouseFaultPlan {
  readonly fault: ClickHouseFault
  /** Share of the requests it meets, in (0, 1]. */
  readonly probability: number
  /** Inserts only, or every statement. */
  readonly meets: 'inserts' | 'all'
}

export interface ClickHouseDouble {
  readonly port: number
  /** How often each error, `lie` before those after the fact, and late answers were given since the start. */
  readonly inflicted: ReadonlyMap<string, number>
  setFaults(plans: readonly ClickHouseFaultPlan[]): void
  close(): Promise<void>
}

export type ClickHouseErrorName = keyof typeof ERRORS

/** Errors in the words of a server, with the status that it gives them. */
const ERRORS = {
  READONLY: [164, 500, 'default: Cannot execute query in readonly mode.'],
  QUOTA_EXCEEDED: [
    201,
    500,
    'Quota for user `default` for 3600s has been exceeded: queries = 1001/1000. Interval will end at 2026-01-01 00:00:00. Name of quota template: `default`.',
  ],
  TOO_MANY_SIMULTANEOUS_QUERIES: [202, 500, 'Too many simultaneous queries. Maximum: 100.'],
  MEMORY_LIMIT_EXCEEDED: [
    241,
    500,
    '(total) memory limit exceeded: would use 1.81 GiB (attempt to allocate chunk of 4360992 bytes), maximum: 1.80 GiB.',
  ],
  ACCESS_DENIED: [
    497,
    403,
    'default: Not enough privileges. To execute this query, it’s necessary to have the grant INSERT ON millrace.events.',
  ],
  AUTHENTICATION_FAILED: [
    516,
    403,
    'default: Authentication failed: password is incorrect, or there is no user with such name.',
  ],
} as const

/**
 * Stands before ClickHouse and says what a server says that is short of something, or does not know us any more: the
 * embedded engine has neither users nor quotas.
 *
 * @param random in [0, 1)
 */
export async function openClickHouseDouble(
  port: number,
  targetPort: number,
  random: () => number,
): Promise<ClickHouseDouble> {
  const double = await openHttpDouble(port, targetPort, random)
  return { ...double, setFaults: (plans) => double.setFaults(plans.map(httpPlan)) }
}

function httpPlan({ fault, probability, meets }: ClickHouseFaultPlan): HttpFaultPlan {
  const common = { probability, meets: meets === 'inserts' ? isInsert : () => true }
  if (fault.kind === 'late') return { ...common, name: 'late', fault }
  const answer = errorAnswer(fault.error)
  return fault.kind === 'refuse'
    ? { ...common, name: fault.error, fault: { kind: 'answer', answer } }
    : { ...common, name: `lie ${fault.error}`, fault: { kind: 'lie', answer } }
}

/** The statement of an insert stands in the address, where the body is its rows. */
function isInsert({ url = '' }: IncomingMessage): boolean {
  return /[?&]query=INSERT/i.test(url)
}

function errorAnswer(name: ClickHouseErrorName): HttpAnswer {
  const [code, status, words] = ERRORS[name]
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=UTF-8', 'x-clickhouse-exception-code': String(code) },
    body: `Code: ${code}. DB::Exception: ${words} (${name}) (version 26.3.1.1 (official build))\n`,
  }
}
