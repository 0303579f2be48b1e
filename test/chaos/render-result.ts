import type { ChaosResult, ChaosRun } from './chaos-result.ts'
import type { Outage } from './outage.ts'
import { percentile } from './recovery.ts'

function outageLine({ away, seconds, otherBefore, otherDuring, catchUp }: Outage): string {
  return `${away} away for ${seconds} s: the other sink lags ${otherDuring.toFixed(2)} s, ${otherBefore.toFixed(2)} s before; its own caught up in ${catchUp.seconds.toFixed(1)} s at ${catchUp.timesLive.toFixed(1)} × live`
}

/** What was measured before any fault. */
export function renderRecovery({ recovery, rolling }: Pick<ChaosRun, 'recovery' | 'rolling'>): string {
  return `recovery, ms                                                                                      n      p50      p99
${[
  ...Object.entries(recovery.firstCommit).map(
    ([stage, values]) => [`${stage} killed, a partition of it is committed again`, values] as const,
  ),
  ['everything killed, accepting', recovery.accepting] as const,
  ['everything killed, in ClickHouse', recovery.fresh] as const,
]
  .map(
    ([name, values]) =>
      `  ${name.padEnd(90)}${[values.length, percentile(values, 0.5) ?? '-', percentile(values, 0.99) ?? '-'].map((n) => String(n).padStart(9)).join('')}`,
  )
  .join('\n')}
caught up after all of them were away                                                             n    s p50 least × live
${Object.entries(recovery.catchUp)
  .map(
    ([name, all]) =>
      `  ${name.padEnd(90)}${[
        String(all.length),
        percentile(
          all.map(({ seconds }) => seconds),
          0.5,
        )?.toFixed(1) ?? '-',
        Math.min(...all.map(({ timesLive }) => timesLive)).toFixed(1),
      ]
        .map((text) => text.padStart(9))
        .join('')}`,
  )
  .join('\n')}
${recovery.outages.map((outage) => `  ${outageLine(outage)}\n`).join('')}  ${rolling.times} rolling SIGTERMs of collectors: ${rolling.failedTries} failed requests`
}

/** What it says at its end. */
export function renderResult(result: ChaosResult): string {
  const { verdict, faults, figures } = result
  const table = (rows: readonly (readonly [string, number])[]) =>
    rows.map(([name, value]) => `  ${name.padEnd(92)} ${String(value).padStart(9)}`).join('\n')
  const kills = Object.entries(figures).filter(([name]) => name.startsWith('kills '))
  return `
faults inflicted
${table(Object.entries(faults).sort())}
figures
${table(Object.entries(figures).sort())}
${renderRecovery(result)}
places                      found     lost  doubled spurious corrupted
${verdict.places
  .map(
    ({ place, found, lost, doubled, spurious, corrupted }) =>
      `  ${place.padEnd(26)}${String(found).padStart(7)}${[lost, doubled, spurious, corrupted].map((n) => String(n).padStart(9)).join('')}`,
  )
  .join('\n')}
${verdict.faults.map((fault) => `  ${fault}\n`).join('')}${result.unplanned.map((end) => `  unplanned: ${end}\n`).join('')}${result.load.oddAnswers.map((answer) => `  odd answer: ${answer}\n`).join('')}
${kills.reduce((sum, [, times]) => sum + times, 0)} kills, ${result.load.stored} events stored for later, ${result.load.repeated} sent again on purpose, ${verdict.duplicatesRemoved} repetitions removed
${verdict.acknowledged} acknowledged, ${verdict.lost} lost, ${verdict.duplicated} duplicated`
}
