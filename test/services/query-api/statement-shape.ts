/** A statement without which of eight columns holds a property: that is all that a property's name may decide in it. */
export function shapeOf(statement: string): string {
  return statement.replaceAll(/\bproperties_[0-7]\b/g, 'properties_?')
}
