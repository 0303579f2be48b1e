import type { JsonObject } from '../../../schemas/field.ts'
import { objectIn } from '../../core/event/object-in.ts'

/** A page element that an event came from, as clients of product-analytics APIs know it. */
export interface PageElement {
  readonly text: string | null
  readonly tag_name: string | null
  readonly attr_class: readonly string[] | null
  readonly href: string | null
  readonly attr_id: string | null
  readonly nth_child: number | null
  readonly nth_of_type: number | null
  /** All that were sent, by their names with `attr__`. */
  readonly attributes: JsonObject
  /** From 0, the innermost one. */
  readonly order: number
}

/** What a client calls an attribute. */
const ATTRIBUTE = 'attr__'

/** The page elements that an autocapturing client lists in `$elements`, the innermost first; what is no object is none. */
export function pageElements(properties: JsonObject): PageElement[] {
  const listed: unknown = properties.$elements
  if (!Array.isArray(listed)) return []
  return listed
    .map(objectIn)
    .filter((element) => Object.keys(element).length > 0)
    .map((element, order) => ({
      text: textIn(element.$el_text),
      tag_name: textIn(element.tag_name),
      attr_class: classesIn(element.attr__class),
      href: textIn(element.attr__href),
      attr_id: textIn(element.attr__id),
      nth_child: numberIn(element.nth_child),
      nth_of_type: numberIn(element.nth_of_type),
      attributes: Object.fromEntries(Object.entries(element).filter(([name]) => name.startsWith(ATTRIBUTE))),
      order,
    }))
}

/**
 * Elements as one text: `button.primary:attr__id="pay"nth-child="1"nth-of-type="1"text="Pay";form:…`, classes and what is in
 * quotes in alphabetical order.
 */
export function elementsChain(elements: readonly PageElement[]): string {
  return elements.map(chained).join(';')
}

function chained(element: PageElement): string {
  const classes = [...(element.attr_class ?? [])].sort().map((name) => `.${name.replaceAll('"', '')}`)
  const quoted: Record<string, unknown> = {
    ...element.attributes,
    'nth-child': element.nth_child ?? 0,
    'nth-of-type': element.nth_of_type ?? 0,
    text: element.text,
    href: element.href,
    attr_id: element.attr_id,
  }
  const names = Object.keys(quoted)
    .filter((name) => quoted[name] !== null)
    .sort()
  const values = names.map((name) => `${name}="${writtenOf(quoted[name]).replaceAll('"', '\\"')}"`)
  return `${element.tag_name ?? ''}${classes.join('')}:${values.join('')}`
}

function writtenOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function textIn(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function numberIn(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}

/** A client sends them as they stand in the page, or as a list. */
function classesIn(value: unknown): string[] | null {
  const names = Array.isArray(value)
    ? value.filter((each) => typeof each === 'string')
    : textIn(value)?.split(/\s+/)
  const found = names?.filter((name) => name !== '') ?? []
  return found.length === 0 ? null : found
}
