import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { type Dependency, DependencyError } from './errors.ts'

/** One file `NNNN_<name>.sql`. */
export interface Migration {
  readonly version: number
  readonly name: string
  readonly sql: string
  /** SHA-256 of the file, hex. A migration that was applied is never edited; the next one changes what it made. */
  readonly checksum: string
}

/**
 * @returns the migrations of a directory, in order
 * @throws Error when a number is missing or stands twice
 */
export function readMigrationFiles(directory: string): readonly Migration[] {
  const migrations = readdirSync(directory)
    .flatMap((file) => {
      const match = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file)
      if (!match) return []
      const sql = readFileSync(`${directory}/${file}`, 'utf8')
      const checksum = createHash('sha256').update(sql).digest('hex')
      return [{ version: Number(match[1]), name: match[2] as string, sql, checksum }]
    })
    .sort((a, b) => a.version - b.version)
  migrations.forEach(({ version }, index) => {
    if (version !== index + 1)
      throw new Error(`${directory} has no single migration ${String(index + 1).padStart(4, '0')}.`)
  })
  return migrations
}

/** The statements of a migration: each ends in a semicolon at the end of a line. */
export function statementsIn(sql: string): readonly string[] {
  return sql
    .split(/;[ \t]*$/m)
    .map((statement) => statement.trim())
    .filter((statement) => statement.replace(/^--.*$/gm, '').trim() !== '')
}

/** What a ledger says of a migration that was applied. */
export interface AppliedMigration {
  readonly version: number
  readonly name: string
  readonly checksum: string
}

/**
 * The migrations that a database's ledger does not have yet. It may have newer ones than this program knows.
 *
 * @param database how messages call it
 * @throws DependencyError `corrupt` when an applied migration was edited afterwards
 */
export function missingMigrations(
  dependency: Dependency,
  database: string,
  migrations: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] {
  return migrations.filter((migration) => {
    const found = applied.filter(({ version }) => version === migration.version)
    if (found.some(({ checksum }) => checksum !== migration.checksum))
      throw new DependencyError(
        dependency,
        'corrupt',
        `Migration ${migration.version} (${migration.name}) of ${database} was applied from another file than this program has. Applied migrations are never edited: restore the file, and put the change into a new one.`,
      )
    return found.length === 0
  })
}
