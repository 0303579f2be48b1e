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
} as const

/** Rows of a result. */
export const SQL_ROWS = { default: 100, max: 50_000, offsetMax: 10_000_000 } as const
