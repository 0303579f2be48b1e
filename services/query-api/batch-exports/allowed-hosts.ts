import type { MayConnect } from './destination-kind.ts'

/** Where a database listens when nobody says otherwise. */
export const POSTGRES_PORT = 5_432
const ENTRY = /^(\*\.)?([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::([1-9]\d{0,4}))?$/
const NAME = /^[a-z0-9][a-z0-9.-]*$/

/**
 * Hosts that batch exports may connect to: `db.example.com`, `db.example.com:6432`, `*.example.com` for all below it.
 * Names are compared, not the addresses behind them: whoever lists one vouches for them.
 *
 * @throws Error completing "<setting> is … but …"
 */
export function parseAllowedHosts(value: string): MayConnect {
  const entries = value
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .map((entry) => {
      const parts = ENTRY.exec(entry)
      if (parts === null)
        throw new Error(
          'must be hosts separated by commas, e.g. db.example.com, db.example.com:6432, *.example.com',
        )
      const name = (parts[2] as string).toLowerCase()
      return { isBelow: parts[1] !== undefined, name, port: Number(parts[3] ?? POSTGRES_PORT) }
    })
  return (host, port) => {
    const asked = host.toLowerCase()
    if (!NAME.test(asked)) return false
    return entries.some(
      ({ isBelow, name, port: allowed }) =>
        port === allowed && (isBelow ? asked.endsWith(`.${name}`) : asked === name),
    )
  }
}
