import type { InsightRequest } from './insight-request.ts'

/**
 * What a count or a sum of a sample stands for among all actors. Rates, medians and times of a sample are as they are.
 */
export function scaledUp(amount: number, { samplingFactor }: Pick<InsightRequest, 'samplingFactor'>): number {
  return amount / samplingFactor
}
