import type { Bindings, BindingType } from '../query/bindings.ts'
import type { TimeZone } from '../query/zoned-time.ts'
import type { SqlType } from './functions.ts'
import { type Place, SqlFault } from './sql-fault.ts'
import { SQL_LIMITS } from './sql-limits.ts'

/** An expression in SQL, with what is known of its value. */
export interface Compiled {
  readonly sql: string
  readonly type: SqlType
  /** Of a time, the same instant without its zone: what indexes understand. */
  readonly instant?: string
  /** What a text or a number that stands in the query says. */
  readonly literal?: string
}

/** What names mean at some place of a query. */
export interface Scope {
  /** @throws SqlFault for a name that means nothing */
  name(path: readonly string[], place: Place): Compiled
  /** What `*` stands for. @param source null for all tables. @throws SqlFault */
  star(source: string | null, place: Place): readonly { readonly name: string; readonly value: Compiled }[]
}

/**
 * One text on its way to one statement: values are bound, names are made up. Whatever a text says, the only words of it that
 * get into SQL are those that a list of ours has.
 */
export class Compilation {
  readonly dataset: string
  readonly bindings: Bindings
  readonly zone: TimeZone
  readonly #nowMs: number
  readonly #bound = new Map<string, string>()
  #names = 0
  #sources = 0
  #depth = 0
  /** Names of properties that were read since somebody looked last. */
  readonly mentioned = new Set<string>()

  constructor(dataset: string, bindings: Bindings, zone: TimeZone, nowMs: number) {
    this.dataset = dataset
    this.bindings = bindings
    this.zone = zone
    this.#nowMs = nowMs
  }

  /** The same placeholder for the same value: expressions that are equal stay equal. */
  bind(value: string | number, type: BindingType): string {
    const key = `${type} ${value}`
    const placeholder = this.#bound.get(key) ?? this.bindings.bind(value, type)
    this.#bound.set(key, placeholder)
    return placeholder
  }

  /** A name that nothing else in the statement has. */
  newName(letter: 'c' | 'f' | 'q' | 't' | 'x'): string {
    return `${letter}${this.#names++}`
  }

  /** The time of the question in the dataset's zone: the same wherever it is asked for. */
  now(): Compiled {
    const instant = `fromUnixTimestamp64Milli(${this.bind(this.#nowMs, 'Int64')}, 'UTC')`
    return this.inZone(instant)
  }

  /** A time as the clocks of the dataset's zone show it. */
  inZone(instant: string): Compiled {
    return { sql: `toTimeZone(${instant}, ${this.bind(this.zone, 'String')})`, type: 'time', instant }
  }

  /** @throws SqlFault past {@link SQL_LIMITS.sources} */
  countSources(count: number, place: Place): void {
    this.#sources += count
    if (this.#sources > SQL_LIMITS.sources)
      throw new SqlFault(
        `A query may read at most ${SQL_LIMITS.sources} tables and subqueries in all.`,
        place,
      )
  }

  get sources(): number {
    return this.#sources
  }

  /** @throws SqlFault when calls are deeper within each other than they may be */
  deeper<T>(place: Place, work: () => T): T {
    if (++this.#depth > SQL_LIMITS.depth)
      throw new SqlFault(`This is nested more than ${SQL_LIMITS.depth} levels deep.`, place)
    try {
      return work()
    } finally {
      this.#depth--
    }
  }
}
