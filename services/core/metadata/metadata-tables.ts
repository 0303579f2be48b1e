/** The tables of `schemas/metadata` as rows have them. */
export interface MetadataTables {
  readonly personal_api_keys: PersonalApiKeyRow
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
