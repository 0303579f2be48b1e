import { invalidInput } from '../http/api-error.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import type { InsightKindName } from '../insights/insight-kinds.ts'
import type { PEOPLE } from '../insights/people-kinds.ts'
import { textsOf as parametersOf } from '../insights/posted-parameters.ts'
import {
  type Node,
  nodeOf,
  optionalNode,
  parameterName,
  refuseMembers,
  UNUSED_MEMBERS,
} from './query-nodes.ts'

/** How a kind of query becomes the parameters of an insight. */
export interface InsightKind {
  /** The last part of the insight's path, and of the path of its people. */
  readonly insight: string
  readonly people: keyof typeof PEOPLE | 'retention'
  /** The name that saved insights have for it. */
  readonly saved: InsightKindName
  /** Members that it has beside the common ones. */
  readonly own: readonly string[]
  /** Its parameters beside the common ones. @throws ApiError 400 */
  parameters(node: Node): Node
}

/** Periods of a RetentionQuery that does not say how many, as its clients expect; those of the parameters expect more. */
const RETENTION_INTERVALS = 8

/** Members of any insight. */
const COMMON = [
  ...UNUSED_MEMBERS,
  'dataColorTheme',
  'dateRange',
  'properties',
  'filterTestAccounts',
  'samplingFactor',
  'aggregation_group_type_index',
  'aggregationGroupTypeIndex',
] as const

/** Members of filters that only say how an answer is drawn. */
const DRAWING = new Set([
  'layout',
  'showLegend',
  'showValuesOnSeries',
  'showLabelsOnSeries',
  'showPercentStackView',
  'showAlertThresholdLines',
  'showMultipleYAxes',
  'aggregationAxisFormat',
  'aggregationAxisPrefix',
  'aggregationAxisPostfix',
  'decimalPlaces',
  'minDecimalPlaces',
  'yAxisScaleType',
  'hiddenLegendIndexes',
  'hiddenLegendKeys',
  'hiddenLegendBreakdowns',
  'resultCustomizations',
  'resultCustomizationBy',
  'goalLines',
  'funnelStepReference',
])

/** Members of a filter under the names of parameters. */
function filterParameters(
  node: Node,
  member: string,
  renamed: ReadonlyMap<string, string> = new Map(),
): Node {
  const filter = optionalNode(node[member], `query__${member}`)
  return Object.fromEntries(
    Object.entries(filter)
      .filter(([name]) => !DRAWING.has(name))
      .map(([name, value]) => [renamed.get(name) ?? parameterName(name), value]),
  )
}

/** An event, or an action, as the parameters of insights have it. @throws ApiError 400 */
function entityOf(value: unknown, attr: string): Node {
  const given = nodeOf(value, attr)
  const { kind, event, name, fixedProperties, properties, response: _, version: __, ...others } = given
  if (kind !== 'EventsNode' && kind !== 'ActionsNode')
    throw invalidInput(`${attr}__kind`, 'A series is an EventsNode or an ActionsNode.')
  const filters = [properties, fixedProperties].filter((each) => each !== undefined && each !== null)
  const isAction = kind === 'ActionsNode'
  return {
    ...Object.fromEntries(
      Object.entries(others)
        .filter(([, each]) => each !== null && each !== undefined)
        .map(([member, each]) => [parameterName(member), each]),
    ),
    id: isAction ? given.id : (event ?? null),
    type: isAction ? 'actions' : 'events',
    ...(typeof name === 'string' ? { name } : {}),
    ...(filters.length === 0 ? {} : { properties: filters.length === 1 ? filters[0] : filters.flat() }),
  }
}

function seriesOf(node: Node): Node {
  const { series } = node
  if (!Array.isArray(series)) throw invalidInput('query__series', 'series is a list.', 'required')
  const entities = series.map((one, order) => ({ ...entityOf(one, `query__series__${order}`), order }))
  return {
    events: entities.filter(({ type }: Node) => type === 'events'),
    actions: entities.filter(({ type }: Node) => type === 'actions'),
  }
}

function breakdownOf(node: Node): Node {
  const filter = optionalNode(node.breakdownFilter, 'query__breakdownFilter')
  const { breakdowns, ...others } = filter
  if (!Array.isArray(breakdowns) || breakdowns.length === 0) return others
  const listed = breakdowns.map((one) => nodeOf(one, 'query__breakdownFilter__breakdowns'))
  const [first = {}] = listed
  if (listed.some(({ type }) => (type ?? 'event') !== (first.type ?? 'event')))
    throw invalidInput('query__breakdownFilter__breakdowns', 'All breakdowns have to be of one type.')
  return {
    ...others,
    breakdown: listed.map(({ property, value }) => property ?? value),
    breakdown_type: first.type ?? 'event',
    ...(first.group_type_index === undefined ? {} : { breakdown_group_type_index: first.group_type_index }),
    ...(first.histogram_bin_count === undefined
      ? {}
      : { breakdown_histogram_bin_count: first.histogram_bin_count }),
    ...(first.normalize_url === undefined ? {} : { breakdown_normalize_url: first.normalize_url }),
  }
}

function compareOf(node: Node): Node {
  const { compare, compare_to: other, ...others } = optionalNode(node.compareFilter, 'query__compareFilter')
  refuseMembers(others, [], 'query__compareFilter')
  if (other !== undefined && other !== null)
    throw invalidInput(
      'query__compareFilter__compare_to',
      'A period is compared with the one right before it.',
    )
  return compare === undefined ? {} : { compare }
}

function exclusionsOf(node: Node): Node {
  const { exclusions, ...others } = filterParameters(node, 'funnelsFilter')
  if (exclusions === undefined || exclusions === null) return others
  if (!Array.isArray(exclusions))
    throw invalidInput('query__funnelsFilter__exclusions', 'exclusions is a list.')
  return {
    ...others,
    exclusions: exclusions.map((one) => {
      const given = nodeOf(one, 'query__funnelsFilter__exclusions')
      const kind = String(given.kind).replace(/^FunnelExclusion/, '')
      return entityOf({ ...given, kind }, 'query__funnelsFilter__exclusions')
    }),
  }
}

/** Paths around a funnel: the funnel as its own query, with a step. */
function pathsAround(node: Node): Node {
  const filter = optionalNode(node.funnelPathsFilter, 'query__funnelPathsFilter')
  if (Object.keys(filter).length === 0) return {}
  refuseMembers(filter, ['funnelPathType', 'funnelSource', 'funnelStep'], 'query__funnelPathsFilter')
  const source = nodeOf(filter.funnelSource, 'query__funnelPathsFilter__funnelSource')
  return {
    funnel_paths: filter.funnelPathType,
    funnel_filter: {
      ...insightNode(source, 'FunnelsQuery').parameters,
      ...(filter.funnelStep === undefined ? {} : { funnel_step: filter.funnelStep }),
    },
  }
}

export const INSIGHT_KINDS: Readonly<Record<string, InsightKind>> = {
  TrendsQuery: {
    insight: 'trend',
    saved: 'TRENDS',
    people: 'trends',
    own: ['series', 'interval', 'trendsFilter', 'breakdownFilter', 'compareFilter'],
    parameters: (node) => ({
      ...seriesOf(node),
      interval: node.interval,
      ...filterParameters(node, 'trendsFilter'),
      ...breakdownOf(node),
      ...compareOf(node),
    }),
  },
  FunnelsQuery: {
    insight: 'funnel',
    saved: 'FUNNELS',
    people: 'funnel',
    own: ['series', 'interval', 'funnelsFilter', 'breakdownFilter'],
    parameters: (node) => ({
      ...seriesOf(node),
      interval: node.interval,
      ...exclusionsOf(node),
      ...breakdownOf(node),
    }),
  },
  RetentionQuery: {
    insight: 'retention',
    saved: 'RETENTION',
    people: 'retention',
    own: ['retentionFilter'],
    parameters(node) {
      const filter = filterParameters(node, 'retentionFilter')
      return { ...filter, total_intervals: filter.total_intervals ?? RETENTION_INTERVALS }
    },
  },
  PathsQuery: {
    insight: 'path',
    saved: 'PATHS',
    people: 'path',
    own: ['pathsFilter', 'funnelPathsFilter'],
    parameters: (node) => ({ ...filterParameters(node, 'pathsFilter'), ...pathsAround(node) }),
  },
  StickinessQuery: {
    insight: 'stickiness',
    saved: 'STICKINESS',
    people: 'stickiness',
    own: ['series', 'interval', 'stickinessFilter', 'compareFilter'],
    parameters: (node) => ({
      ...seriesOf(node),
      interval: node.interval,
      ...filterParameters(node, 'stickinessFilter'),
      ...compareOf(node),
    }),
  },
  LifecycleQuery: {
    insight: 'lifecycle',
    saved: 'LIFECYCLE',
    people: 'lifecycle',
    own: ['series', 'interval', 'lifecycleFilter'],
    parameters: (node) => ({
      ...seriesOf(node),
      interval: node.interval,
      ...filterParameters(node, 'lifecycleFilter', new Map([['toggledLifecycles', 'toggledLifecycles']])),
    }),
  },
  TimingQuery: {
    insight: 'timing',
    saved: 'TIMING',
    people: 'timing',
    own: ['timingFilter', 'breakdownFilter', 'interval'],
    parameters: (node) => ({
      interval: node.interval,
      ...filterParameters(node, 'timingFilter'),
      ...breakdownOf(node),
    }),
  },
}

export interface InsightNode {
  readonly kind: InsightKind
  readonly parameters: Node
}

/**
 * @param expected the one kind that may stand here; left out for any
 * @throws ApiError 400 for other kinds, and for members that are not known
 */
export function insightNode(node: Node, expected?: string): InsightNode {
  const name = String(node.kind)
  const isHere = (expected === undefined || expected === name) && Object.hasOwn(INSIGHT_KINDS, name)
  const kind = isHere ? INSIGHT_KINDS[name] : undefined
  if (kind === undefined)
    throw invalidInput(
      'query__kind',
      `Here stands one of ${expected ?? Object.keys(INSIGHT_KINDS).join(', ')}.`,
    )
  refuseMembers(node, [...COMMON, ...kind.own], 'query')
  const range = optionalNode(node.dateRange, 'query__dateRange')
  const { date_from: from, date_to: to, explicitDate: _, ...others } = range
  refuseMembers(others, ['date_from', 'date_to'], 'query__dateRange')
  return {
    kind,
    parameters: {
      date_from: from,
      date_to: to,
      properties: node.properties,
      filter_test_accounts: node.filterTestAccounts,
      sampling_factor: node.samplingFactor,
      aggregation_group_type_index: node.aggregation_group_type_index ?? node.aggregationGroupTypeIndex,
      ...kind.parameters(node),
    },
  }
}

/** As an address would have them. */
export function rawQuery(parameters: Node): RawQuery {
  return parametersOf(parameters)
}
