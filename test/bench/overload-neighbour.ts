import { type GroupResult, openLoop } from './open-loop.ts'
import { BATCH, DATASETS, type OverloadContext, PLAIN_BODIES } from './overload-context.ts'
import { flood } from './overload-flood.ts'
import { sumStatuses, type Verdict, worstP99 } from './overload-verdict.ts'
import { quantile } from './report.ts'

/** Times that the neighbour is there, and is not: what a shared machine does in one of them does not decide. */
const PAIRS = 5
/** Of either sender. */
const CONNECTIONS = 64

/** The dataset of the n-th request: each of the ten in turn. */
const small = (n: number) => 1 + (n % 10)
const median = (values: readonly number[]) =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  )

/** Ten small datasets, at first alone, then beside one that sends nine tenths of everything; again and again. */
export async function neighbour(
  context: OverloadContext,
  verdict: Verdict,
  { capacity, seconds }: { readonly capacity: number; readonly seconds: number },
): Promise<void> {
  const { stage, port } = await context.startCollector({
    MILLRACE_COLLECTOR_EVENTS_PER_SECOND_MAX: String(capacity),
  })
  const othersPerSecond = Math.round(capacity / 2 / BATCH)
  const phaseSeconds = seconds / PAIRS / 2
  const others = async () => {
    const groups = await openLoop({
      port,
      connections: CONNECTIONS,
      requestsPerSecond: othersPerSecond,
      seconds: phaseSeconds,
      request: (n) => context.plainRequest(small(n), n),
      groupOf: (n) => DATASETS[small(n)] as string,
    })
    return [...groups.values()]
  }
  const oneBeside = () =>
    flood({
      port,
      connections: CONNECTIONS,
      requestsPerSecond: othersPerSecond * 9,
      seconds: phaseSeconds,
      requests: Array.from({ length: PLAIN_BODIES }, (_, n) => context.plainRequest(0, n)),
    })
  await Promise.all([others(), oneBeside()])
  const calm: number[] = []
  const disturbed: number[] = []
  const answered: { readonly one: GroupResult[]; readonly others: GroupResult[] } = { one: [], others: [] }
  for (let pair = 0; pair < PAIRS; pair++) {
    calm.push(worstP99(await others()))
    const [groups, one] = await Promise.all([others(), oneBeside()])
    disturbed.push(worstP99(groups))
    answered.one.push(one)
    answered.others.push(...groups)
  }
  const told = sumStatuses(answered.others)
  verdict.say(
    `capacity ${capacity} events/s; ten datasets send ${othersPerSecond * BATCH}, then one beside them ${othersPerSecond * 9 * BATCH}, ${PAIRS} times for ${phaseSeconds} s each`,
  )
  verdict.say(
    `answers to the one: ${JSON.stringify(sumStatuses(answered.one))}; to the others: ${JSON.stringify(told)}`,
  )
  const [before, beside] = [median(calm), median(disturbed)]
  verdict.hold(
    'the others’ p99 at most twice the calm, medians',
    `${before.toFixed(1)} → ${beside.toFixed(1)} ms, ${(beside / before).toFixed(1)} times`,
    beside <= 2 * before,
  )
  const sent = answered.others.reduce((all, group) => all + group.sent, 0)
  const refused = sent - (told[200] ?? 0)
  verdict.hold(
    'of the others no more than one in 1,000 refused',
    `${refused} of ${sent}`,
    refused * 1_000 <= sent,
  )
  await stage.stop()
}
