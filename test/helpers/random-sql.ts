import { Draws } from './draws.ts'

/** Queries for the tests of the query language; `make test-long` takes 100,000. */
export const QUERIES = Number(process.env.MILLRACE_TEST_QUERIES ?? 4_000)
/** Another one makes other queries: long runs can be told in parts. */
export const QUERY_SEED = Number(process.env.MILLRACE_TEST_SEED ?? 20_261_129)
/** Those of them that run on the engine. */
export const QUERIES_RUN = Math.ceil(QUERIES * 0.015)

/** Texts that have broken other query builders. */
export const HOSTILE = [
  "' OR 1=1 --",
  "x') OR 1=1 UNION ALL SELECT name FROM system.tables --",
  "a\\'; DROP TABLE events",
  '`"{p0:String}',
  '{p0:Identifier}',
  '%_\\%',
  '\t\r\n',
  '\\',
  "\\' OR dataset_id = 'blog' --",
  '🦊 é NFD é',
  "''",
  '""',
  '``',
  '/*',
  '*/ UNION ALL SELECT 1',
  ') AS t0',
  'FORMAT Null',
  'SETTINGS readonly=0',
  'events',
  'dataset_id',
  '__proto__',
  'constructor',
  '\u2028',
  '\0',
  '$1',
  '{}',
  ';',
  '1e999',
  '-1',
  "file('/etc/passwd')",
] as const

/** A text as the query language quotes it. */
export function quotedText(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

export function quotedName(name: string): string {
  return `"${name.replaceAll('\\', '\\\\').replaceAll('"', '""')}"`
}

type Kind = 'text' | 'number'
interface Column {
  readonly sql: string
  readonly kind: Kind
}

/** Makes queries that mostly run: texts where texts belong, numbers where numbers do, and hostile names and values anywhere. */
export class RandomSql {
  readonly #draws: Draws
  /** @param hostile texts for names and values; others of the same length make queries of the same shape */
  readonly #hostile: readonly string[]
  #named = 0

  constructor(seed: number, hostile: readonly string[] = HOSTILE) {
    this.#draws = new Draws(seed)
    this.#hostile = hostile
  }

  query(): string {
    const tables = new Map<string, readonly Kind[]>()
    const within: string[] = []
    for (let n = this.#draws.below(3); n > 0; n--) {
      const kinds = this.#kinds()
      const name = `cte${this.#named++}`
      within.push(`${name} AS (${this.#select(kinds, 2, tables)})`)
      tables.set(name, kinds)
    }
    const kinds = this.#kinds()
    const selects = Array.from({ length: this.#draws.chance(0.15) ? 2 : 1 }, () =>
      this.#select(kinds, 3, tables),
    )
    return `${within.length > 0 ? `WITH ${within.join(', ')} ` : ''}${selects.join(' UNION ALL ')}`
  }

  /** A condition on one event, as `where` takes it. */
  condition(): string {
    return this.#truth(
      EVENT_COLUMNS.map((column) => this.#column('', column)),
      2,
      new Map(),
    )
  }

  /** A condition on one event without a query in it, as filters take it. */
  filter(): string {
    return this.#truth(
      EVENT_COLUMNS.map((column) => this.#column('', column)),
      1,
      new Map(),
    )
  }

  /** An expression about one event, as `select` takes it. */
  expression(): string {
    const columns = EVENT_COLUMNS.map((column) => this.#column('', column))
    return this.#value(this.#draws.pick(['text', 'number']), columns, 2)
  }

  #kinds(): Kind[] {
    return Array.from({ length: 1 + this.#draws.below(3) }, () => this.#draws.pick<Kind>(['text', 'number']))
  }

  #select(kinds: readonly Kind[], depth: number, tables: ReadonlyMap<string, readonly Kind[]>): string {
    const { from, columns } = this.#from(depth, tables)
    const where = this.#draws.chance(0.6) ? ` WHERE ${this.#truth(columns, depth, tables)}` : ''
    if (this.#draws.chance(0.35)) {
      const key = this.#value('text', columns, depth - 1)
      const aggregates = kinds.map((kind) => this.#aggregate(kind, columns))
      const having = this.#draws.chance(0.3) ? ` HAVING count() > ${this.#draws.below(3)}` : ''
      const listed = aggregates.map((sql, place) => `${sql} AS v${place}`).join(', ')
      return `SELECT ${listed} FROM ${from}${where} GROUP BY ${key}${having}`
    }
    const listed = kinds.map((kind, place) => `${this.#value(kind, columns, depth)} AS v${place}`)
    const distinct = this.#draws.chance(0.1) ? 'DISTINCT ' : ''
    const order = this.#draws.chance(0.3) ? ' ORDER BY 1 DESC' : ''
    return `SELECT ${distinct}${listed.join(', ')} FROM ${from}${where}${order}`
  }

  #from(depth: number, tables: ReadonlyMap<string, readonly Kind[]>) {
    const first = this.#source(depth, tables)
    if (!this.#draws.chance(0.3)) return { from: first.sql, columns: first.columns }
    const second = this.#source(depth, tables)
    const join = this.#draws.pick(['JOIN', 'INNER JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN'])
    const [left, right] = [first, second].map(({ columns }) => columns.filter(({ kind }) => kind === 'text'))
    // The engine joins by columns only.
    if (left?.length === 0 || right?.length === 0) return { from: first.sql, columns: first.columns }
    const on = `${this.#draws.pick(left ?? []).sql} = ${this.#draws.pick(right ?? []).sql}`
    return {
      from: `${first.sql} ${join} ${second.sql} ON ${on}`,
      columns: [...first.columns, ...second.columns],
    }
  }

  #source(depth: number, tables: ReadonlyMap<string, readonly Kind[]>): { sql: string; columns: Column[] } {
    const alias = `s${this.#named++}`
    const made = (kinds: readonly Kind[]) => kinds.map((kind, place) => ({ sql: `${alias}.v${place}`, kind }))
    if (depth > 1 && this.#draws.chance(0.2)) {
      const kinds = this.#kinds()
      return { sql: `(${this.#select(kinds, depth - 1, tables)}) AS ${alias}`, columns: made(kinds) }
    }
    if (tables.size > 0 && this.#draws.chance(0.4)) {
      const [name, kinds] = this.#draws.pick([...tables])
      return { sql: `${name} AS ${alias}`, columns: made(kinds) }
    }
    const view = this.#draws.chance(0.6)
      ? 'events'
      : this.#draws.pick(Object.keys(VIEW_COLUMNS) as (keyof typeof VIEW_COLUMNS)[])
    return {
      sql: `${this.#draws.chance(0.2) ? view.toUpperCase() : view} AS ${alias}`,
      columns: VIEW_COLUMNS[view].map((column) => this.#column(`${alias}.`, column)),
    }
  }

  #column(prefix: string, [path, kind]: readonly [string, Kind]): Column {
    const name = path.endsWith('.?')
      ? `${path.slice(0, -1)}${quotedName(this.#draws.pick(this.#hostile))}`
      : path
    return { sql: `${prefix}${name}`, kind }
  }

  #value(kind: Kind, columns: readonly Column[], depth: number): string {
    const own = columns.filter((column) => column.kind === kind)
    if (depth <= 0 || this.#draws.chance(0.4)) {
      if (own.length > 0 && this.#draws.chance(0.8)) return this.#draws.pick(own).sql
      return kind === 'text' ? quotedText(this.#draws.pick(this.#hostile)) : String(this.#draws.below(50))
    }
    const text = () => this.#value('text', columns, depth - 1)
    const number = () => this.#value('number', columns, depth - 1)
    if (kind === 'text')
      return this.#draws.pick([
        () => `lower(${text()})`,
        () => `concat(${text()}, ${text()})`,
        () => `toString(${number()})`,
        () => `if(${this.#truth(columns, 0, new Map())}, ${text()}, ${text()})`,
        () => `coalesce(${text()}, ${text()})`,
        () =>
          `CASE WHEN ${number()} > 3 THEN ${text()} ELSE ${quotedText(this.#draws.pick(this.#hostile))} END`,
        () => `substring(${text()}, 1, 4)`,
        () => `replaceAll(${text()}, 'a', ${quotedText(this.#draws.pick(this.#hostile))})`,
      ])()
    return this.#draws.pick([
      () => `length(${text()})`,
      () => `toFloat(${text()})`,
      () => `(${number()} + ${number()})`,
      () => `-(${number()})`,
      () => `CAST(${text()} AS Int)`,
      () => `arraySum(x -> x + ${number()}, [1, 2])`,
    ])()
  }

  #truth(columns: readonly Column[], depth: number, tables: ReadonlyMap<string, readonly Kind[]>): string {
    const text = () => this.#value('text', columns, depth - 1)
    const number = () => this.#value('number', columns, depth - 1)
    const literal = () => quotedText(this.#draws.pick(this.#hostile))
    const inner = () => this.#truth(columns, depth - 1, tables)
    const simple = [
      () => `${text()} = ${literal()}`,
      () => `${text()} != ${text()}`,
      () => `${text()} LIKE ${literal()}`,
      () => `${text()} NOT ILIKE ${literal()}`,
      () => `${text()} IN (${literal()}, ${literal()})`,
      () => `${number()} ${this.#draws.pick(['<', '<=', '>', '>=', '<>'])} ${number()}`,
      () => `${number()} BETWEEN 1 AND ${number()}`,
      () => `${text()} IS NOT NULL`,
      () => `startsWith(coalesce(${text()}, ''), ${literal()})`,
    ]
    const nested = [
      () => `(${inner()} AND ${inner()})`,
      () => `(${inner()} OR ${inner()})`,
      () => `NOT (${inner()})`,
      () => `${text()} IN (${this.#select(['text'], depth - 1, tables)})`,
    ]
    return this.#draws.pick(depth > 1 && this.#draws.chance(0.5) ? nested : simple)()
  }

  #aggregate(kind: Kind, columns: readonly Column[]): string {
    const text = () => this.#value('text', columns, 1)
    const number = () => this.#value('number', columns, 1)
    if (kind === 'text') return this.#draws.pick([() => `min(${text()})`, () => `max(${text()})`])()
    return this.#draws.pick([
      () => 'count()',
      () => 'count(*)',
      () => `count(DISTINCT ${text()})`,
      () => `sum(${number()})`,
      () => `countIf(${text()} = ${quotedText(this.#draws.pick(this.#hostile))})`,
      () => `max(${number()})`,
    ])()
  }
}

const EVENT_COLUMNS: readonly (readonly [string, Kind])[] = [
  ['id', 'text'],
  ['event', 'text'],
  ['distinct_id', 'text'],
  ['session_id', 'text'],
  ['url', 'text'],
  ['properties.of', 'text'],
  ['properties.?', 'text'],
  ['properties.$browser', 'text'],
  ['person_id', 'text'],
  ['person.properties.?', 'text'],
  ['person.properties.tier', 'text'],
  ['person_properties.?', 'text'],
  ['groups.company', 'text'],
  ['src_offset', 'number'],
  ['src_partition', 'number'],
]

/** Columns of the tables; `?` stands for a hostile name. */
const VIEW_COLUMNS: Readonly<
  Record<
    'events' | 'persons' | 'sessions' | 'groups' | 'person_distinct_ids',
    readonly (readonly [string, Kind])[]
  >
> = {
  events: EVENT_COLUMNS,
  persons: [
    ['id', 'text'],
    ['properties.tier', 'text'],
    ['properties.?', 'text'],
  ],
  sessions: [
    ['session_id', 'text'],
    ['distinct_id', 'text'],
    ['entry_url', 'text'],
    ['event_count', 'number'],
    ['duration', 'number'],
  ],
  groups: [
    ['key', 'text'],
    ['properties.?', 'text'],
    ['index', 'number'],
  ],
  person_distinct_ids: [
    ['distinct_id', 'text'],
    ['person_id', 'text'],
  ],
}
