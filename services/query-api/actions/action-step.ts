import { type Static, Type } from '@sinclair/typebox'
import { choiceSchema } from '../http/choice-schema.ts'
import { readSelector } from '../query/element-selector.ts'
import { FILTER_TYPES, readFilterTree } from '../query/property-filters.ts'

export const STEP_LIMITS = { steps: 50, textLength: 1_000, filters: 50 } as const

/** How the text of a condition is compared. */
export const MATCHINGS = ['contains', 'regex', 'exact'] as const

const Text = Type.Optional(Type.Union([Type.String({ maxLength: STEP_LIMITS.textLength }), Type.Null()]))
const Matching = Type.Optional(choiceSchema(MATCHINGS))

/** What a step may say. All of its conditions must hold for an event; one that is null or left out asks for nothing. */
export const ActionStep = Type.Object(
  {
    event: Text,
    url: Text,
    url_matching: Matching,
    text: Text,
    text_matching: Matching,
    href: Text,
    href_matching: Matching,
    tag_name: Text,
    selector: Text,
    name: Text,
    properties: Type.Optional(
      Type.Array(Type.Unknown(), {
        maxItems: STEP_LIMITS.filters,
        description: 'Filters, as insights take them.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type ActionStep = Static<typeof ActionStep>
/** With every condition written out, as it is stored. */
export type CompleteStep = Required<ActionStep>

/** Conditions as they count when a step leaves them out. */
const ABSENT: CompleteStep = {
  event: null,
  url: null,
  url_matching: 'contains',
  text: null,
  text_matching: 'exact',
  href: null,
  href_matching: 'exact',
  tag_name: null,
  selector: null,
  name: null,
  properties: [],
}

/**
 * Steps with every condition written out.
 *
 * @throws ApiError 400 for filters and selectors that no question could be asked with
 */
export function completeSteps(steps: readonly ActionStep[]): CompleteStep[] {
  return steps.map((step, at) => {
    readFilterTree(step.properties ?? [], `steps__${at}__properties`, FILTER_TYPES)
    if (step.selector) readSelector(step.selector, `steps__${at}__selector`)
    return { ...ABSENT, ...step }
  })
}
