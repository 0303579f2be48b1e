/** The tables of `schemas/metadata` as rows have them. */
export interface MetadataTables {
  readonly personal_api_keys: PersonalApiKeyRow
  readonly object_numbers: ObjectNumberRow
  readonly annotations: AnnotationRow
  readonly actions: ActionRow
  readonly dataset_settings: DatasetSettingsRow
  readonly insights: SavedInsightRow
  readonly insight_views: InsightViewRow
  readonly activities: ActivityRow
  readonly dashboards: DashboardRow
  readonly dashboard_tiles: DashboardTileRow
  readonly dashboard_shares: DashboardShareRow
  readonly insight_shares: InsightShareRow
  readonly recording_shares: RecordingShareRow
  readonly kpis: KpiRow
  readonly definitions: DefinitionRow
  readonly recording_views: RecordingViewRow
  readonly recording_playlists: RecordingPlaylistRow
  readonly playlist_recordings: PlaylistRecordingRow
  readonly cohorts: CohortRow
  readonly cohort_calculations: CohortCalculationRow
  readonly exports: ExportRow
  readonly dashboard_templates: DashboardTemplateRow
  readonly batch_exports: BatchExportRow
  readonly batch_export_chains: BatchExportChainRow
  readonly batch_export_positions: BatchExportPositionRow
  readonly batch_export_runs: BatchExportRunRow
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

export interface DatasetSettingsRow {
  dataset_id: string
  /** JSON list of filters. */
  test_account_filters: string
  updated_at: number
  updated_by: string
}

/** An object that says who changed it last. */
export interface ModifiedRow extends ObjectRow {
  /** Name of the key's holder. */
  last_modified_by: string
}

export interface SavedInsightRow extends ModifiedRow {
  short_id: string
  name: string
  description: string
  insight: string
  /** JSON object; empty beside a query. */
  filters: string
  /** JSON object with a `kind`; null of an insight that is its filters. */
  query: string | null
  /** JSON list of text. */
  tags: string
  favorited: number
  saved: number
}

export interface InsightViewRow {
  dataset_id: string
  viewer: string
  insight_id: number
  viewed_at: number
}

export interface ActivityRow {
  dataset_id: string
  id: number
  object: string
  /** 0 for what has no number: a recording, whose name is its id. */
  object_id: number
  activity: string
  name: string
  /** JSON list of text. */
  fields: string
  done_by: string
  done_at: number
}

export interface DashboardRow extends ModifiedRow {
  name: string
  description: string
  pinned: number
  /** JSON list of text. */
  tags: string
  /** JSON object. */
  filters: string
  restriction_level: number
  creation_mode: string
}

export interface DashboardTileRow {
  dataset_id: string
  id: number
  dashboard_id: number
  insight_id: number | null
  body: string | null
  /** JSON object. */
  layouts: string
  color: string | null
}

/** A link to something that is shared. */
export interface ShareRow {
  /** Lower-case hex SHA-256 of the token. */
  sha256: string
  dataset_id: string
  tail: string
  created_at: number
  created_by: string
}

export interface DashboardShareRow extends ShareRow {
  dashboard_id: number
}

export interface InsightShareRow extends ShareRow {
  insight_id: number
}

export interface RecordingShareRow extends ShareRow {
  session_id: string
}

export interface KpiRow extends ModifiedRow {
  name: string
  /** Number of a saved insight. */
  insight: number
  kpi_row: number
  place: number
  trend: string
}

/** What people say about an event or a property. */
export interface DefinitionRow {
  dataset_id: string
  kind: string
  name: string
  description: string
  /** JSON list of text. */
  tags: string
  verified: number
  property_type: string | null
  deleted_at: number | null
  updated_at: number
  updated_by: string
}

export interface RecordingViewRow {
  dataset_id: string
  session_id: string
  /** Name of the key's holder. */
  viewed_by: string
  viewed_at: number
}

export interface RecordingPlaylistRow extends ModifiedRow {
  short_id: string
  name: string
  derived_name: string | null
  description: string
  pinned: number
  /** JSON object. */
  filters: string
}

/** A recording that was put on a playlist by hand. */
export interface PlaylistRecordingRow {
  dataset_id: string
  playlist_id: number
  session_id: string
  added_at: number
  /** Name of the key's holder. */
  added_by: string
}

export interface CohortRow extends ObjectRow {
  name: string
  description: string
  is_static: number
  /** JSON. */
  filters: string
  /** Number of the last finished calculation; 0 before the first one. */
  calculation: number
  /** Persons in it by that calculation. */
  members: number | null
  calculated_at: number | null
  /** Number of the last calculation that was begun. */
  begun: number
  begun_at: number | null
  /** Null while none is running; past it another one may begin. */
  begun_until: number | null
  /** 1 when somebody asked for a calculation. */
  is_due: number
  /** Failed calculations since the last finished one. */
  errors: number
}

export interface CohortCalculationRow {
  dataset_id: string
  cohort_id: number
  calculation: number
  begun_at: number
  ended_at: number
  members: number | null
  entered: number | null
  left_it: number | null
  /** Null for one that finished. */
  error: string | null
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

/** Events that go on going to a bucket. */
/** A dashboard as a document. */
export interface DashboardTemplateRow extends ObjectRow {
  template_name: string
  dashboard_description: string
  /** A JSON object. */
  dashboard_filters: string
  /** A JSON list of text. */
  tags: string
  /** A JSON list. */
  tiles: string
}

export interface BatchExportRow extends ObjectRow {
  name: string
  interval: string
  timezone: string
  /** Hour at which days begin; of weeks, hours after Monday began. */
  day_begins: number
  destination: 'S3' | 'Postgres'
  /** JSON: the destination without what is secret. */
  config: string
  sealed_credentials: string
  mask_pii: number
  paused: number
  last_paused_at: number | null
  start_at: number
  /** End of the last interval; null for none. */
  end_at: number | null
  /** JSON: property filters as they were sent; null for none. */
  filters: string | null
}

/** One delivery of a batch export: its schedule, a backfill, a window that is delivered again. */
export interface BatchExportChainRow {
  delivery_id: string
  dataset_id: string
  export_id: number
  /** Within the export, from 1, which is the schedule. */
  number: number
  kind: 'schedule' | 'backfill' | 'reset'
  /**
   * `waiting` until its ranges are known; `cancelling` while a backfill passes over what it has not delivered; `removed`
   * until its delivery is gone.
   */
  status: 'waiting' | 'running' | 'completed' | 'cancelling' | 'cancelled' | 'removed'
  /** JSON, per partition; [] while it is waiting. */
  ranges: string
  start_at: number | null
  end_at: number | null
  latest_error: string | null
  created_at: number
  /** When it was completed or cancelled. */
  finished_at: number | null
}

/** How far the manifests of a chain have been read. */
export interface BatchExportPositionRow {
  delivery_id: string
  partition_number: number
  /** Where the chain begins. */
  first_offset: number
  next_offset: number
  landed: number
  /** JSON: ranges that manifests cover and whose events were not asked for. */
  skipped: string
}

/** What manifests say of one window of one chain. */
export interface BatchExportRunRow {
  delivery_id: string
  window_start: number
  window_end: number
  records: number
  bytes: number
  files: number
  /** 1 where nothing of it was asked for; 2 where a backfill that was cancelled passed over some or all of it. */
  skipped: number
  /** JSON list of keys. */
  manifests: string
  /** JSON: offset ranges by partition. */
  ranges: string
  superseded_by: string | null
  updated_at: number
  /** When nothing was to be added any more. */
  finished_at: number | null
}
