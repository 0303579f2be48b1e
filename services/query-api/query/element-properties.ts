import type { Bindings } from './bindings.ts'
import { readSelector, type SelectorPart } from './element-selector.ts'
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

/** What filters call a selector that an element has to fit, beside its properties. */
export const ELEMENT_SELECTOR = 'selector'

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

/**
 * Whether an event came from an element, or from one inside of it, that one of the selectors fits.
 *
 * Of each element it is written down which parts of a selector fit it, a digit for each, so that the order of elements is
 * a matter of one regular expression over digits: what stands in a selector is in no pattern.
 */
export function selectorSql(selectors: readonly string[], bindings: Bindings): string {
  const conditions = selectors.map((selector) => {
    // From the innermost element on, as events list them.
    const parts = readSelector(selector, 'properties').reverse()
    const fits = parts.map((part) => fitsSql(part, bindings))
    if (fits.length === 1) return `arrayExists(element -> ${fits[0]}, ${ELEMENTS})`
    const digits = fits.map((fit) => `toString(toUInt8(${fit}))`).join(', ')
    return (
      `match(arrayStringConcat(arrayMap(element -> concat(${digits}, ';'), ${ELEMENTS})), ` +
      `${bindings.bind(orderPattern(parts), 'String')})`
    )
  })
  return conditions.length === 0 ? '0' : `(${conditions.join(' OR ')})`
}

/** Each element has a digit per part and ends in a semicolon; the k-th digit of an element is 1 where part k fits it. */
function orderPattern(parts: readonly SelectorPart[]): string {
  const others = (count: number) => (count === 0 ? '' : `[01]{${count}}`)
  return parts.reduce((pattern, _, k) => {
    const between = k === 0 ? '(?:^|;)' : parts[k - 1]?.isChild ? '' : `(?:[01]{${parts.length}};)*`
    return `${pattern}${between}${others(k)}1${others(parts.length - k - 1)};`
  }, '')
}

/** A page has its classes as one text; some clients send a list. */
const CLASSES =
  "if(JSONType(element, 'attr__class') = 'Array', JSONExtract(element, 'attr__class', 'Array(String)'), " +
  "splitByWhitespace(JSONExtractString(element, 'attr__class')))"

function fitsSql(part: SelectorPart, bindings: Bindings): string {
  const text = (value: string) => bindings.bind(value, 'String')
  const place = (member: string, value: number | null) =>
    value === null ? [] : [`JSONExtractInt(element, '${member}') = ${bindings.bind(value, 'UInt64')}`]
  const conditions = [
    ...(part.tag === null ? [] : [`lower(JSONExtractString(element, 'tag_name')) = ${text(part.tag)}`]),
    ...(part.id === null ? [] : [`JSONExtractString(element, 'attr__id') = ${text(part.id)}`]),
    ...part.classes.map((name) => `has(${CLASSES}, ${text(name)})`),
    ...part.attributes.map(([name, value]) => {
      const attribute = jsonPropertySql('element', text(`attr__${name}`))
      return value === null ? attribute.isSet : `(${attribute.isSet} AND ${attribute.text} = ${text(value)})`
    }),
    ...place('nth_child', part.nthChild),
    ...place('nth_of_type', part.nthOfType),
  ]
  return conditions.length === 0 ? '1' : `(${conditions.join(' AND ')})`
}
