import { LIFECYCLE_STATUSES } from '../../services/query-api/insights/lifecycle.ts'
import { MATHS } from '../../services/query-api/insights/series-math.ts'
import { INTERVALS } from '../../services/query-api/query/zoned-time.ts'
import type { Draws } from './draws.ts'
import { escaped, type RandomFilters } from './random-filters.ts'

type Parameters = Readonly<Record<string, unknown>>

export const INSIGHT_PATHS = [
  'trend',
  'funnel',
  'retention',
  'stickiness',
  'lifecycle',
  'path',
  'timing',
] as const
export type InsightPath = (typeof INSIGHT_PATHS)[number]

/** Of whom there are people, under the last part of their path. */
export const PEOPLE_PATHS: Readonly<Record<InsightPath, string>> = {
  trend: 'trends',
  funnel: 'funnel',
  retention: 'retention',
  stickiness: 'stickiness',
  lifecycle: 'lifecycle',
  path: 'path',
  timing: 'timing',
}

const DISPLAYS = ['ActionsLineGraph', 'ActionsTable', 'ActionsPie', 'BoldNumber', 'WorldMap'] as const
const FORMULAS = ['A', 'A / (A + 1) * 100', '(A - 2) * -1'] as const
const UNITS = ['second', 'minute', 'hour', 'day', 'week', 'month'] as const
const PATH_TYPES = ['$pageview', '$screen', 'custom_event'] as const

/** Parameters of insights, and of the people behind their numbers. */
export class RandomInsights {
  readonly draws: Draws
  readonly #filters: RandomFilters

  constructor(filters: RandomFilters) {
    this.draws = filters.draws
    this.#filters = filters
  }

  parameters(path: InsightPath): Parameters {
    switch (path) {
      case 'trend':
        return this.#trend()
      case 'funnel':
        return this.#funnel()
      case 'retention':
        return this.#retention()
      case 'stickiness':
        return this.#stickiness()
      case 'lifecycle':
        return { ...this.#filters.entities(1), ...this.#interval(), ...this.#filters.common() }
      case 'path':
        return this.#path()
      case 'timing':
        return this.#timing()
    }
  }

  correlation(): Parameters {
    const { draws } = this
    const funnel = this.#withoutTexts({ ...this.#funnel(), ...this.#filters.entities(2) })
    const kind = draws.pick(['events', 'properties', 'event_with_properties'])
    const names = () => draws.times(1 + draws.below(2), this.#filters.property)
    const events = () => draws.times(1 + draws.below(2), this.#filters.event)
    return {
      ...funnel,
      exclusions: undefined,
      funnel_from_step: undefined,
      funnel_correlation_type: kind,
      ...(kind === 'properties' ? { funnel_correlation_names: names() } : {}),
      ...(kind === 'event_with_properties' ? { funnel_correlation_event_names: events() } : {}),
      ...draws.some(0.3, { funnel_correlation_exclude_event_names: events }),
    }
  }

  /** Parameters of the people behind a number of it. */
  people(path: InsightPath): Parameters {
    const { draws } = this
    const asked = this.#withoutTexts(this.parameters(path))
    return {
      ...asked,
      ...this.#selector(path, asked),
      ...draws.some(0.2, { limit: () => 2, offset: () => 1 }),
    }
  }

  #selector(path: InsightPath, asked: Parameters): Parameters {
    const { draws } = this
    const line = asked.breakdown === undefined ? {} : { breakdown_other: true }
    const point = draws.some(0.5, { point: () => '2026-11-21' })
    switch (path) {
      case 'trend':
        return { ...line, ...point, ...draws.some(0.2, { compare_label: () => 'previous' }) }
      case 'funnel': {
        if (asked.funnel_viz_type === 'trends')
          return { ...line, entrance_period_start: '2026-11-21', drop_off: draws.chance(0.5) }
        return {
          ...line,
          ...draws.some(0.5, { funnel_step: () => (this.#steps(asked) > 1 ? draws.pick([2, -2]) : 1) }),
        }
      }
      case 'retention':
        return draws.some(0.5, { selected_interval: () => draws.below(Number(asked.total_intervals ?? 11)) })
      case 'stickiness':
        return { stickiness_days: 1 }
      case 'lifecycle':
        return { target_date: '2026-11-21', lifecycle_type: draws.pick(LIFECYCLE_STATUSES) }
      case 'path': {
        const stop = (step: number) => () => `${step}_${this.#filters.event()}`
        return draws.some(0.5, { path_start_key: stop(1), path_end_key: stop(2), path_dropoff_key: stop(2) })
      }
      case 'timing':
        return { ...line, ...point }
    }
  }

  #steps({ events = [], actions = [] }: { readonly events?: unknown; readonly actions?: unknown }): number {
    return (events as unknown[]).length + (actions as unknown[]).length
  }

  /** Actors of a funnel that are texts are nobody. */
  #withoutTexts(asked: Parameters): Parameters {
    return { ...asked, funnel_aggregate_by_hogql: undefined }
  }

  #interval(): Parameters {
    return this.draws.some(0.6, { interval: () => this.draws.pick(INTERVALS) })
  }

  #breakdown(): Parameters {
    return this.draws.chance(0.4) ? (this.#filters.breakdown() as Parameters) : {}
  }

  #trend(): Parameters {
    const { draws } = this
    const series = 1 + draws.below(2)
    return {
      ...this.#filters.entities(series, () => this.#math()),
      ...this.#interval(),
      ...this.#filters.common(),
      ...this.#breakdown(),
      ...draws.some(0.2, {
        display: () => draws.pick(DISPLAYS),
        compare: () => true,
        formula: () => draws.pick(FORMULAS),
        smoothing_intervals: () => 3,
      }),
    }
  }

  #math(): object {
    const { draws } = this
    const math = draws.pick(MATHS)
    if (math === 'hogql' || math === 'sql') {
      const aggregate = draws.pick(['count()', 'uniq', 'max', 'countIf'])
      if (aggregate === 'count()') return { math, [`math_${math}`]: aggregate }
      const of = aggregate === 'countIf' ? this.#filters.condition() : this.#filters.expression()
      return { math, [`math_${math}`]: `${aggregate}(${of})` }
    }
    if (math === 'unique_group') return { math, math_group_type_index: this.#filters.groupType() }
    return /^(sum|avg|min|max|median|p\d+)$/.test(math)
      ? { math, math_property: draws.chance(0.2) ? '$session_duration' : this.#filters.property() }
      : { math }
  }

  #funnel(): Parameters {
    const { draws } = this
    const order = draws.pick(['ordered', 'unordered', 'strict'])
    const steps = 2 + draws.below(2)
    const exclusion = () => ({ ...this.#filters.entity().members, id: this.#filters.event() })
    const breakdown = this.#breakdown()
    const common: Parameters = { ...this.#filters.common() }
    const isOfGroups = common.aggregation_group_type_index !== undefined
    return {
      ...this.#filters.entities(steps),
      ...common,
      ...breakdown,
      ...this.#interval(),
      funnel_order_type: order,
      ...draws.some(0.3, {
        funnel_viz_type: () => draws.pick(['steps', 'trends', 'time_to_convert']),
        funnel_window_interval: () => 3,
        funnel_window_interval_unit: () => draws.pick(UNITS),
        exclusions: () => [exclusion()],
        breakdown_attribution_type: () => draws.pick(['first_touch', 'last_touch', 'all_events', 'step']),
        bin_count: () => draws.pick([5, 'auto']),
      }),
      ...(isOfGroups ? {} : draws.some(0.1, { funnel_aggregate_by_hogql: () => this.#filters.expression() })),
    }
  }

  #entity(): object {
    const { type, members } = this.#filters.entity()
    return { ...members, type }
  }

  #retention(): Parameters {
    const { draws } = this
    return {
      ...this.#filters.common(),
      ...draws.some(0.7, { target_entity: () => this.#entity(), returning_entity: () => this.#entity() }),
      ...draws.some(0.3, {
        retention_type: () => draws.pick(['retention_recurring', 'retention_first_time']),
        retention_reference: () => draws.pick(['total', 'previous']),
        period: () => draws.pick(['Hour', 'Day', 'Week', 'Month']),
        total_intervals: () => 3,
        minimum_occurrences: () => 2,
        cumulative: () => true,
        time_window_mode: () => '24_hour_windows',
      }),
    }
  }

  #stickiness(): Parameters {
    const { draws } = this
    return {
      ...this.#filters.entities(1 + draws.below(2)),
      ...this.#filters.common(),
      ...this.#interval(),
      ...draws.some(0.3, {
        computed_as: () => 'cumulative',
        stickiness_criteria: () => ({ operator: draws.pick(['gte', 'lte', 'exact']), value: 1 }),
      }),
    }
  }

  #path(): Parameters {
    const { draws } = this
    const stops = () => draws.times(1 + draws.below(2), this.#filters.event)
    const isOfTexts = draws.chance(0.2)
    const types = isOfTexts ? ['hogql'] : draws.chance(0.5) ? [draws.pick(PATH_TYPES)] : undefined
    const side = draws.pick([
      'funnel_path_before_step',
      'funnel_path_between_steps',
      'funnel_path_after_step',
    ])
    return {
      ...this.#filters.common(),
      include_event_types: types,
      ...(isOfTexts ? { paths_hogql_expression: this.#filters.expression() } : {}),
      ...draws.some(0.25, {
        include_custom_events: stops,
        exclude_events: stops,
        start_point: this.#filters.event,
        end_point: this.#filters.event,
        path_groupings: () => [`${this.#filters.text()}*`],
        local_path_cleaning_filters: () => [
          { regex: escaped(this.#filters.text()), alias: this.#filters.text().replaceAll('\\', '') },
        ],
        step_limit: () => 3 + draws.below(3),
        edge_limit: () => 5,
        min_edge_weight: () => 1,
        max_edge_weight: () => 100,
      }),
      ...(draws.chance(0.2)
        ? {
            funnel_paths: side,
            funnel_filter: { ...this.#filters.entities(2), funnel_step: draws.pick([2, -2]) },
          }
        : {}),
    }
  }

  #timing(): Parameters {
    const { draws } = this
    return {
      ...this.#filters.common(),
      ...this.#interval(),
      ...this.#breakdown(),
      ...draws.some(0.7, { from_entity: () => this.#entity(), to_entity: () => this.#entity() }),
      ...draws.some(0.3, {
        window_interval: () => 3,
        window_interval_unit: () => draws.pick(UNITS),
        pairing: () => 'nearest',
        bin_count: () => draws.pick([5, 'auto']),
      }),
    }
  }
}
