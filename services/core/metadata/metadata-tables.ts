/** The tables of `schemas/metadata` as rows have them. */
export interface MetadataTables {
  readonly personal_api_keys: PersonalApiKeyRow
  readonly object_numbers: ObjectNumberRow
  readonly annotations: AnnotationRow
  readonly actions: ActionRow
  readonly exports: ExportRow
}

export interface PersonalApiKeyRow {
  id: string
  label: string
  /** Lower-case hex SHA-256 of the key's text. */
  sha256: string
  tail: string
  previous_sha256: string | null
  previous_until: number | null
  /** JSON list of text. */
  scopes: string
  /** JSON list of text. */
  datasets: string
  created_at: number
  created_by: string
  rolled_at: number | null
  expires_at: number | null
  last_used_at: number | null
}

export interface ObjectNumberRow {
  dataset_id: string
  kind: string
  last: number
}

/** What every object of a dataset has. */
export interface ObjectRow {
  dataset_id: string
  /** Within the dataset and kind, from 1. */
  id: number
  /** 1 for one that was deleted and may be restored. */
  deleted: number
  created_at: number
  /** Name of the key's holder. */
  created_by: string
  /** Grows with every change, also of a clock that steps back. */
  updated_at: number
}

export interface AnnotationRow extends ObjectRow {
  content: string
  date_marker: number | null
  creation_type: 'USR' | 'GIT'
  scope: 'dashboard_item' | 'dataset' | 'project'
  /** Number of an insight. */
  dashboard_item: number | null
}

export interface ActionRow extends ObjectRow {
  name: string
  description: string
  /** JSON list of steps. */
  steps: string
  /** JSON list of text. */
  tags: string
  post_to_slack: number
  slack_message_format: string
}

/** A file that is made in the background. */
export interface ExportRow {
  dataset_id: string
  id: number
  /** JSON. */
  source: string
  media_type: 'text/csv' | 'application/json'
  filename: string
  status: 'pending' | 'running' | 'completed' | 'failed'
  row_count: number | null
  byte_count: number | null
  error: string | null
  attempts: number
  leased_until: number | null
  created_at: number
  created_by: string
  finished_at: number | null
  expires_at: number
}
