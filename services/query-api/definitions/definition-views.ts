import { Type } from '@sinclair/typebox'
import { choiceSchema } from '../http/choice-schema.ts'
import type { Definition } from './definition-lists.ts'
import { PROPERTY_TYPES, type PropertyType } from './seen-definitions.ts'

const TextOrNull = Type.Union([Type.String(), Type.Null()])
const PropertyTypeOrNull = Type.Union([choiceSchema(PROPERTY_TYPES), Type.Null()])

const Said = {
  description: Type.String(),
  tags: Type.Array(Type.String()),
  verified: Type.Boolean(),
  updated_at: TextOrNull,
  updated_by: TextOrNull,
}

export const EventDefinitionView = Type.Object({
  id: Type.String(),
  name: Type.String(),
  created_at: Type.String({ description: 'Receipt of the first event.' }),
  last_seen_at: Type.String({ description: 'Receipt of the last event.' }),
  volume: Type.Integer({ description: 'Events in the last 30 days.' }),
  ...Said,
})

export const PropertyDefinitionView = Type.Object({
  id: Type.String(),
  name: Type.String(),
  type: choiceSchema(['event', 'person', 'group']),
  group_type_index: Type.Union([Type.Integer(), Type.Null()]),
  property_type: PropertyTypeOrNull,
  is_numerical: Type.Boolean(),
  last_seen_at: TextOrNull,
  volume: Type.Integer({
    description:
      'Events in the last 30 days, on days and of names that had it; persons or groups that have it.',
  }),
  is_seen_on_filtered_events: Type.Union([Type.Boolean(), Type.Null()]),
  ...Said,
})

/** What PATCH takes. */
export const DefinitionChangeBody = Type.Object(
  {
    description: Type.Optional(Type.String({ maxLength: 400 })),
    tags: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 100 }), { maxItems: 50 })),
    verified: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
export const PropertyChangeBody = Type.Object(
  { ...DefinitionChangeBody.properties, property_type: Type.Optional(PropertyTypeOrNull) },
  { additionalProperties: false },
)

function saidOf({ said }: Definition) {
  const isCurrent = said !== null && said.deleted_at === null
  return {
    description: isCurrent ? said.description : '',
    tags: isCurrent ? (JSON.parse(said.tags) as string[]) : [],
    verified: isCurrent && said.verified === 1,
    updated_at: isCurrent ? timeOf(said.updated_at) : null,
    updated_by: isCurrent ? said.updated_by : null,
  }
}

const timeOf = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

export function eventDefinition(definition: Definition) {
  const { id, seen } = definition
  return {
    id,
    name: seen.name,
    created_at: timeOf(seen.firstMs),
    last_seen_at: timeOf(seen.lastMs),
    volume: seen.volume,
    ...saidOf(definition),
  }
}

export function propertyDefinition(
  definition: Definition,
  of: { readonly type: 'event' | 'person' | 'group'; readonly index?: number },
  looksLike: PropertyType | null,
  isSeen: boolean | null,
) {
  const { id, seen, said } = definition
  const type = (said?.property_type as PropertyType | null | undefined) ?? looksLike
  return {
    id,
    name: seen.name,
    type: of.type,
    group_type_index: of.index ?? null,
    property_type: type,
    is_numerical: type === 'Numeric',
    last_seen_at: timeOf(seen.lastMs),
    volume: seen.volume,
    is_seen_on_filtered_events: isSeen,
    ...saidOf(definition),
  }
}
