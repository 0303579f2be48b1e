import { type Static, type TObject, type TString, Type } from '@sinclair/typebox'
import type { Delivery } from '../../../schemas/control/v1.ts'
import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'

/** Members of a configuration, by name. */
export type Config = Readonly<Record<string, unknown>>

/** A kind of place that batch exports go to: what is said of one, and what of that is secret or stays. */
export interface DestinationKind {
  readonly type: BatchExportRow['destination']
  /** What is kept as it is, and shown. */
  readonly open: TObject
  /** What is sealed, and shown to nobody. */
  readonly secret: Readonly<Record<string, TString>>
  /** Under which name each of `secret` is sealed. */
  readonly sealedAs: Readonly<Record<string, string>>
  /** What of `open` cannot change: on it hangs what was delivered. */
  readonly fixed: readonly string[]
  /**
   * @param config as its schema has it
   * @returns with what was left out
   * @throws ApiError 400 for what a schema cannot say
   */
  complete(config: Config, mayConnect: MayConnect): Config
}

/** Whether whoever runs this lets batch exports connect to a host. */
export type MayConnect = (host: string, port: number) => boolean

/** What of a delivery follows from its destination. */
export type DestinationParts = Pick<
  Delivery,
  | 'format'
  | 'bucket'
  | 'rotate'
  | 'prefix'
  | 'partition_by'
  | 'compression'
  | 'events'
  | 'exclude_events'
  | 'destination'
>

const EventNames = Type.Union([
  Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { minItems: 1, maxItems: 1_000 }),
  Type.Null(),
])

/** Which events are wanted, in every configuration. */
export const EVENT_CHOICE = {
  include_events: Type.Optional(EventNames),
  exclude_events: Type.Optional(EventNames),
}
const EventChoice = Type.Object(EVENT_CHOICE)

export function chosenEvents({
  include_events: included,
  exclude_events: excluded,
}: Static<typeof EventChoice>): Pick<Delivery, 'events' | 'exclude_events'> {
  return {
    ...(included === undefined || included === null ? {} : { events: included }),
    ...(excluded === undefined || excluded === null ? {} : { exclude_events: excluded }),
  }
}
