import { jsonPropertySql, type PropertySql } from './event-properties.ts'

/** Property of an event that lists the page elements it came from, the innermost first, as autocapturing clients send it. */
const ELEMENTS = "JSONExtractArrayRaw(properties, '$elements')"

/** What filters call a property of an element, and the member of the listed object that holds it. */
const MEMBERS = {
  text: '$el_text',
  href: 'attr__href',
  tag_name: 'tag_name',
  name: 'attr__name',
} as const

export const ELEMENT_PROPERTIES = Object.keys(MEMBERS)

export function isElementProperty(key: unknown): key is keyof typeof MEMBERS {
  return typeof key === 'string' && Object.hasOwn(MEMBERS, key)
}

/**
 * Whether an event came from an element, or from one inside of it, of which a condition holds.
 *
 * @param holds makes the condition of where the property is read
 */
export function elementSql(key: string, holds: (property: PropertySql) => string): string {
  if (!isElementProperty(key)) throw new Error(`An element has no property ${key}.`)
  return `arrayExists(element -> ${holds(jsonPropertySql('element', `'${MEMBERS[key]}'`))}, ${ELEMENTS})`
}
