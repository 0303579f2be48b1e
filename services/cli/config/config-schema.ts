import { type Static, Type } from '@sinclair/typebox'
import { Dataset, Delivery, EventSchema, Key, Subscription } from '../../../schemas/control/v1.ts'

/** In the file a JSON Schema may also lie in a file of its own, named relative to this one. */
const SchemaEntry = Type.Object(
  {
    dataset: EventSchema.properties.dataset,
    event: EventSchema.properties.event,
    json_schema: Type.Optional(EventSchema.properties.json_schema),
    file: Type.Optional(Type.String({ minLength: 1, maxLength: 1000 })),
  },
  { additionalProperties: false },
)
export type SchemaEntry = Static<typeof SchemaEntry>

/** The shape of `millrace.yaml`. What goes past a shape (references, filters, templates) is in `config-rules.ts`. */
export const ConfigShape = Type.Object(
  {
    version: Type.Literal(1, { description: 'Version of this file’s shape: 1.' }),
    datasets: Type.Optional(
      Type.Array(Dataset, { description: 'Sites and apps; each belongs to an account.' }),
    ),
    keys: Type.Optional(
      Type.Array(Key, { description: 'Access keys, by their SHA-256: "millrace key new" makes them.' }),
    ),
    schemas: Type.Optional(
      Type.Array(SchemaEntry, { description: 'JSON Schemas for the properties of one event name each.' }),
    ),
    subscriptions: Type.Optional(
      Type.Array(Subscription, { description: 'Kafka topics that selected events are written to.' }),
    ),
    deliveries: Type.Optional(
      Type.Array(Delivery, { description: 'Files in S3 that selected events are written to.' }),
    ),
  },
  { additionalProperties: false },
)
export type ConfigContent = Static<typeof ConfigShape>

/** JSON Schema of the file, for editors: `# yaml-language-server: $schema=millrace.schema.json`. */
export function configJsonSchema(): Record<string, unknown> {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'millrace.yaml',
    ...JSON.parse(JSON.stringify(ConfigShape)),
  }
}
