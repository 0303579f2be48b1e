import type { ParameterDeclarations } from '../http/parameter-declarations.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import type { Question } from '../query/question.ts'
import {
  type BehindNumber,
  LIFECYCLE_PEOPLE_PARAMETERS,
  lifecyclePeople,
  STICKINESS_PEOPLE_PARAMETERS,
  stickinessPeople,
} from './activity-people.ts'
import { CORRELATION_PEOPLE_PARAMETERS, correlationPeople } from './correlation-people.ts'
import type { InsightNeeds } from './frame.ts'
import { CORRELATION_PARAMETERS } from './funnel-correlation.ts'
import { FUNNEL_PEOPLE_PARAMETERS, funnelPeople } from './funnel-people.ts'
import { FUNNEL_PARAMETERS } from './funnel-request.ts'
import { LIFECYCLE_PARAMETERS } from './lifecycle.ts'
import { PATH_PEOPLE_PARAMETERS, pathPeople, TIMING_PEOPLE_PARAMETERS, timingPeople } from './path-people.ts'
import { PATH_PARAMETERS } from './path-request.ts'
import type { PEOPLE_EXAMPLES } from './people-examples.ts'
import { STICKINESS_PARAMETERS } from './stickiness.ts'
import { TIMING_PARAMETERS } from './timing-request.ts'
import { TREND_PEOPLE_PARAMETERS, trendPeople } from './trend-people.ts'
import { TREND_PARAMETERS } from './trend-request.ts'

interface PeopleDeclaration {
  readonly summary: string
  readonly parameters: ParameterDeclarations
  readonly behind: (needs: InsightNeeds, question: Question, query: RawQuery) => Promise<BehindNumber>
}

/** Who is behind a number of an insight, by the last part of the path. */
export const PEOPLE: Readonly<Record<keyof typeof PEOPLE_EXAMPLES, PeopleDeclaration>> = {
  trends: {
    summary: 'Who is behind a point of a trend.',
    parameters: { ...TREND_PARAMETERS, ...TREND_PEOPLE_PARAMETERS },
    behind: trendPeople,
  },
  funnel: {
    summary: 'Who reached a step of a funnel, or dropped out before it.',
    parameters: { ...FUNNEL_PARAMETERS, ...FUNNEL_PEOPLE_PARAMETERS },
    behind: funnelPeople,
  },
  'funnel/correlation': {
    summary: 'Who has what goes with getting through a funnel, and got through it or did not.',
    parameters: { ...FUNNEL_PARAMETERS, ...CORRELATION_PARAMETERS, ...CORRELATION_PEOPLE_PARAMETERS },
    behind: correlationPeople,
  },
  stickiness: {
    summary: 'Who was active in so many intervals.',
    parameters: { ...STICKINESS_PARAMETERS, ...STICKINESS_PEOPLE_PARAMETERS },
    behind: stickinessPeople,
  },
  lifecycle: {
    summary: 'Who was new, returning, resurrecting or dormant in an interval.',
    parameters: { ...LIFECYCLE_PARAMETERS, ...LIFECYCLE_PEOPLE_PARAMETERS },
    behind: lifecyclePeople,
  },
  path: {
    summary: 'Who went along an edge of the paths.',
    parameters: { ...PATH_PARAMETERS, ...PATH_PEOPLE_PARAMETERS },
    behind: pathPeople,
  },
  timing: {
    summary: 'Who has pairs of the two events.',
    parameters: { ...TIMING_PARAMETERS, ...TIMING_PEOPLE_PARAMETERS },
    behind: timingPeople,
  },
}
