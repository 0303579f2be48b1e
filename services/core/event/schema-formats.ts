/**
 * The formats that customers' schemas may name, each a check of one look at the text. A format that is not here is a
 * fault of the schema: one that is silently not checked would promise what nobody keeps.
 */
export const SCHEMA_FORMATS: Readonly<Record<string, (text: string) => boolean>> = {
  date: isDate,
  time: (text) =>
    /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/.test(text),
  'date-time': isDateTime,
  email: isEmail,
  uri: (text) => text.length <= 65_536 && /^[a-zA-Z][a-zA-Z0-9+.-]{0,63}:[^\s<>"{}|\\^`]+$/.test(text),
  'uri-reference': (text) => text.length <= 65_536 && /^[^\s<>"{}|\\^`]*$/.test(text),
  hostname: (text) =>
    text.length <= 253 &&
    /^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/.test(
      text,
    ),
  ipv4: (text) => /^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$/.test(text),
  ipv6: (text) => text.length <= 45 && text.includes(':') && URL.canParse(`http://[${text}]/`),
  uuid: (text) => /^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$/.test(text),
}

function isDate(text: string): boolean {
  const match = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  if (!match) return false
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  return month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

/** RFC 3339: date, T or space, time, offset. */
function isDateTime(text: string): boolean {
  return /^[Tt ]$/.test(text.charAt(10)) && isDate(text.slice(0, 10)) && SCHEMA_FORMATS.time!(text.slice(11))
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return [4, 6, 9, 11].includes(month) ? 30 : 31
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28
}

/** One @ with something usable on both sides; whether mail arrives there nobody can tell from the text. */
function isEmail(text: string): boolean {
  const at = text.lastIndexOf('@')
  if (at < 1 || at > 64 || text.length > 320 || /[\s<>(),;:"\\[\]]/.test(text) || text.indexOf('@') !== at)
    return false
  const local = text.slice(0, at)
  if (local.startsWith('.') || local.endsWith('.') || local.includes('..')) return false
  return SCHEMA_FORMATS.hostname!(text.slice(at + 1))
}
