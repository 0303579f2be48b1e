import { duration, integer, optional, type Settings, text } from '../runtime/settings.ts'
import { STATE_DIR_SETTING } from '../runtime/state-dir.ts'

/** The file in the state directory, where no URL says otherwise. */
export const METADATA_FILE = 'metadata.sqlite'

/** Where the metadata database is: what people made through the API, and their keys. */
export const METADATA_SETTINGS = {
  metadataUrl: optional({
    ...text('MILLRACE_METADATA_URL', {
      secret: true,
      doc: 'Metadata database: postgres://user:password@host/database, or sqlite:/path/of/a/file. Left out: the SQLite file metadata.sqlite in MILLRACE_STATE_DIR, which is enough for processes of one machine.',
    }),
    parse: databaseUrl,
  }),
  metadataConnectionsMax: integer('MILLRACE_METADATA_CONNECTIONS_MAX', {
    default: '8',
    min: 1,
    max: 1000,
    doc: 'Connections of one process to PostgreSQL at the same time; further questions wait. SQLite has one.',
  }),
  metadataTimeoutMs: duration('MILLRACE_METADATA_TIMEOUT', {
    default: '10s',
    doc: 'Longest time for a connection to PostgreSQL to open, and for one statement there.',
  }),
  stateDir: STATE_DIR_SETTING,
} as const

export type MetadataSettings = Settings<typeof METADATA_SETTINGS>

/** @throws Error completing "<variable> is … but …" */
export function databaseUrl(url: string): string {
  if (!/^(postgres(ql)?:\/\/.|sqlite:.)/.test(url)) throw new Error('must begin with postgres:// or sqlite:')
  return url
}
