/** Bounds of a text in the query language. Reaching one is a 400 that says which. */
export const SQL_LIMITS = {
  /** Characters of a text. */
  length: 32_768,
  tokens: 8_000,
  /** Levels of brackets, operators and subqueries within each other. */
  depth: 60,
  /** Tables, subqueries and common table expressions read from, each counted as often as it is read. */
  sources: 40,
  /** Columns of one SELECT. */
  columns: 200,
  /** Property names of one source. */
  properties: 100,
  /** Characters of an expression as SQL: what stands in it twice is written twice, and the engine reads so many (max_query_size). */
  written: 262_144,
  /** Characters of an expression over one event, which has no statement of its own. */
  expressionLength: 4_000,
  /** The same as SQL. */
  expressionWritten: 65_536,
} as const

/** Rows of a result. */
export const SQL_ROWS = { default: 100, max: 50_000, offsetMax: 10_000_000 } as const
