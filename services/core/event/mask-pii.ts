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
/** A date is not a phone number. */
const DATE = /^\d{4}-\d{2}-\d{2}|^\d{2}[.-]\d{2}[.-]\d{4}/

export function isPersonal(name: string): boolean {
  return PERSONAL.has(name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, ''))
}

/** E-mail addresses, phone and card numbers and IPv4 addresses of a text, wherever they stand in it. */
export function maskText(text: string): string {
  return text
    .replace(EMAIL, MASKED)
    .replace(IPV4, MASKED)
    .replace(NUMBERS, (found) => (DATE.test(found) ? found : MASKED))
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
