/** The tables of `schemas/identity-state` as rows have them. */
export type IdentityTables = {
  readonly identity_partitions: PartitionRow
  readonly identity_datasets: DatasetRow
  readonly identity_persons: PersonRow
  readonly identity_distinct_ids: DistinctIdRow
  readonly identity_groups: GroupRow
  readonly identity_commands: CommandRow
  readonly identity_outbox: OutboxTableRow
}

export type PartitionRow = {
  source_partition: number
  topic_id: string
  epoch: number
  owner: string
  next_offset: number | null
  outbox_seq: number
  /** JSON object. */
  sources: string
}

export type DatasetRow = {
  dataset_id: string
  version: number
  changed_at: number
  /** JSON list of text. */
  group_types: string
}

export type PersonRow = {
  dataset_id: string
  person_key: string
  created_at: number
  is_identified: number
  /** JSON object. */
  properties: string
  distinct_ids: number
  version: number
}

export type DistinctIdRow = {
  dataset_id: string
  distinct_id: string
  person_key: string | null
  seen: number
  initials: number
  is_overridden: number
  deleted_at: number | null
  version: number
}

export type GroupRow = {
  dataset_id: string
  group_type_index: number
  group_key: string
  created_at: number
  /** JSON object. */
  properties: string
  version: number
}

export type CommandRow = {
  dataset_id: string
  command_id: string
}

export type OutboxTableRow = {
  source_partition: number
  seq: number
  target: string
  body: string
  bytes: number
  queued_at: number
}
