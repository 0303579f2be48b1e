import { isIPv6 } from 'node:net'

/** What stands in the place of what is masked. */
export const MASKED = '***'

/**
 * Names of properties whose values are personal whatever they are, compared without case and without what is no letter or
 * digit: `$ip`, `first_name`, `firstName`, `billing-address`.
 */
const PERSONAL = new Set(
  (
    'ip ipaddress clientip email mail emailaddress useremail phone phonenumber telephone mobile mobilenumber tel fax name fullname firstname lastname ' +
    'givenname familyname surname middlename username nickname address streetaddress street billingaddress shippingaddress ' +
    'address1 address2 zip zipcode postcode postalcode geopostal geoippostalcode city geoipcityname latitude longitude geolat geolon geoiplatitude geoiplongitude ' +
    'birthday birthdate dateofbirth dob ssn socialsecuritynumber passport taxid iban accountnumber cardnumber creditcard ' +
    'password secret token accesstoken authorization apikey useragent rawuseragent'
  ).split(' '),
)

const EMAIL = /[\p{L}\p{N}._%+-]{1,64}(?:@|%40)[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63}){1,8}/giu
/** Digits in groups, of nine to nineteen: phone numbers with a plus or brackets, cards, accounts. */
const NUMBERS =
  /(?<![\w.-])(?:\+\d{1,3}[ .-]?|\(\d{1,5}\)[ .-]?)?\d{2,5}(?:[ .-]\d{2,5}){2,4}(?![\w-])|(?<![\w.-])\+\d{8,15}(?!\w)|(?<![\w.-])\d{13,19}(?![\w.])/g
const IPV4 = /(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.])/g
/**
 * What may be an IPv6 address, its colons escaped or not: groups, the last of which may be an IPv4 address. Not within a
 * word, but for one that ends in an escape.
 */
const IPV6_LIKE =
  /(?<!(?<!%[\da-f])[\w:.])(?:[\da-f]{0,4}(?::|%3a)){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[\da-f]{1,4})?(?![\w:])/gi
/** Three groups, or two with a digit in them: `2001:db8::1` and `fe80::1`, but not the `a::b` of program text. */
const IPV6_TOLD = /[\da-f]+:+[\da-f]+:+[\da-f]+|(?=.*\d)[\da-f]+:+[\da-f]+/i
/** A parameter of an address up to its value, escaped or not, and what ends a value. */
const PARAMETER = /(?:[?&#;]|%3f|%26)([\w.$-]{1,64})(?:=|%3d)/gi
const VALUE_END = /%26|[&#;\s"'<>()]/gi
/** Ends of names of parameters whose values open something. */
const SECRET_NAME =
  /(?:token|secret|password|passwd|pwd|apikey|accesskey|signature|sig|jwt|otp|auth|authorization)$/
/** A JSON Web Token. */
const JWT = /(?<![\w-])eyJ[\w-]{8,4096}\.[\w-]{8,8192}\.[\w-]{8,2048}/g
/** A date is not a phone number. */
const DATE = /^\d{4}-\d{2}-\d{2}|^\d{2}[.-]\d{2}[.-]\d{4}/

export function isPersonal(name: string): boolean {
  return PERSONAL.has(plainName(name))
}

function plainName(name: string): string {
  return name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')
}

/**
 * E-mail addresses, phone and card numbers, IP addresses and tokens of a text, wherever they stand in it, and what parameters
 * of an address hold that are called as personal things or secrets are.
 */
export function maskText(text: string): string {
  return maskParameters(text)
    .replace(JWT, MASKED)
    .replace(EMAIL, MASKED)
    .replace(IPV6_LIKE, (found) => (isAddress(found.replaceAll(/%3a/gi, ':')) ? MASKED : found))
    .replace(IPV4, MASKED)
    .replace(NUMBERS, (found) => (DATE.test(found) ? found : MASKED))
}

/** An address may stand in a parameter of another one: only values that are masked are passed over. */
function maskParameters(text: string): string {
  let masked = ''
  let at = 0
  for (const { 0: found, 1: name = '', index } of text.matchAll(PARAMETER)) {
    if (index < at || !(isPersonal(name) || SECRET_NAME.test(plainName(name)))) continue
    const start = index + found.length
    VALUE_END.lastIndex = start
    const end = VALUE_END.exec(text)?.index ?? text.length
    if (end === start) continue
    masked += text.slice(at, start) + MASKED
    at = end
  }
  return masked + text.slice(at)
}

function isAddress(text: string): boolean {
  return isIPv6(text) && IPV6_TOLD.test(text)
}

/**
 * A value of JSON without what is personal: members with such names whole, and what looks like it in texts. Nothing of the
 * value itself is changed.
 */
export function maskPii(value: unknown): unknown {
  if (typeof value === 'string') return maskText(value)
  if (Array.isArray(value)) return value.map(maskPii)
  // A number with more digits than a double holds is an object to the language.
  if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      isPersonal(name) && member !== null && member !== '' ? MASKED : maskPii(member),
    ]),
  )
}
