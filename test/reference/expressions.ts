import { type Happening, type History, personNow, personOf, propertiesThen, textOf } from './history.ts'

/** A filter that is an expression of the query language, one of {@link CONDITIONS}. */
export interface ExpressionFilter {
  readonly type: 'hogql'
  readonly key: string
  readonly value: null
}

type Meaning<T> = (event: Happening, history: History) => T

const isSet = (value: unknown) => value !== undefined && value !== null
const nowOf = (event: Happening, history: History) =>
  personNow(history, personOf(history, event))?.properties ?? {}
const amountOf = ({ properties: { amount } }: Happening) =>
  isSet(amount) && Number.isFinite(Number(amount)) ? Number(amount) : null

/** What expressions say of an event: what is not known does not hold. */
export const CONDITIONS: Readonly<Record<string, Meaning<boolean>>> = {
  'properties.amount > 2': (event) => (amountOf(event) ?? 0) > 2,
  "event != 'a' and properties.plan is not null": ({ event, properties }) =>
    event !== 'a' && isSet(properties.plan),
  "person.properties.tier = 'gold' or event in ('b', '$pageview')": (event, history) =>
    nowOf(event, history).tier === 'gold' || event.event === 'b' || event.event === '$pageview',
  "person_properties.tier = '7'": (event, history) => textOf(propertiesThen(history, event).tier) === '7',
  'person_id is null': (event, history) => personOf(history, event) === null,
  "arrayExists(x -> x = event or x = session_id, ['a', 's1', 'c'])": ({ event, session }) =>
    ['a', 's1', 'c'].includes(event) || session === 's1',
}

/** What values of expressions are called; empty for null. */
export const VALUES: Readonly<Record<string, Meaning<string>>> = {
  'properties.$session_id': ({ session }) => session ?? '',
  "concat(event, ' ', properties.plan)": ({ event, properties: { plan } }) =>
    isSet(plan) ? `${event} ${textOf(plan)}` : '',
  "if(properties.amount > 2, 'many', 'few')": (event) => ((amountOf(event) ?? 0) > 2 ? 'many' : 'few'),
  "properties.plan = 'pro'": ({ properties: { plan } }) => (isSet(plan) ? (plan === 'pro' ? '1' : '0') : ''),
  // The first half of a character.
  "left(concat('ü', event), 1)": () => '\uFFFD',
  'person.properties.tier': (event, history) => textOf(nowOf(event, history).tier),
}

function meaningOf<T>(meanings: Readonly<Record<string, Meaning<T>>>, expression: string): Meaning<T> {
  const meaning = meanings[expression]
  if (meaning === undefined) throw new Error(`The reference does not know what ${expression} means.`)
  return meaning
}

export function expressionHolds(history: History, event: Happening, { key }: ExpressionFilter): boolean {
  return meaningOf(CONDITIONS, key)(event, history)
}

export function expressionText(history: History, event: Happening, expression: string): string {
  return meaningOf(VALUES, expression)(event, history)
}
