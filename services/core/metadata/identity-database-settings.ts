import { duration, integer, optional, text } from '../runtime/settings.ts'
import { STATE_DIR_SETTING } from '../runtime/state-dir.ts'
import { databaseUrl } from './metadata-settings.ts'

/** The file in the state directory, where no URL says otherwise. */
export const IDENTITY_FILE = 'identity.sqlite'

/** Where the database is that holds persons. */
export const IDENTITY_DATABASE_SETTINGS = {
  databaseUrl: optional({
    ...text('MILLRACE_IDENTITY_DATABASE_URL', {
      secret: true,
      doc: 'Database that holds persons: postgres://user:password@host/database, or sqlite:/path/of/a/file. Left out: the SQLite file identity.sqlite in MILLRACE_STATE_DIR, which is enough for processes of one machine.',
    }),
    parse: databaseUrl,
  }),
  connectionsMax: integer('MILLRACE_IDENTITY_DATABASE_CONNECTIONS_MAX', {
    default: '8',
    min: 1,
    max: 1000,
    doc: 'Connections of one process to that PostgreSQL at the same time. SQLite has one.',
  }),
  databaseTimeoutMs: duration('MILLRACE_IDENTITY_DATABASE_TIMEOUT', {
    default: '30s',
    doc: 'Longest time for a connection to that PostgreSQL to open, and for one statement there.',
  }),
  stateDir: STATE_DIR_SETTING,
} as const
