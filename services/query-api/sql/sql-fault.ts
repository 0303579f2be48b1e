/** Where something stands in a text: characters from the beginning, `end` exclusive. */
export interface Place {
  readonly start: number
  readonly end: number
}

/** What is wrong with a text in the query language, and where. Thrown by everything that reads or compiles one. */
export class SqlFault extends Error {
  readonly place: Place

  /** @param message whole sentences for whoever wrote the text */
  constructor(message: string, place: Place) {
    super(message)
    this.name = 'SqlFault'
    this.place = place
  }
}

/** Line and column of a place as people count them, from 1. */
export function lineAndColumn(
  text: string,
  start: number,
): { readonly line: number; readonly column: number } {
  const before = text.slice(0, start).split('\n')
  return { line: before.length, column: (before[before.length - 1] as string).length + 1 }
}
