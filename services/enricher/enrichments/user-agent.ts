import Bowser from 'bowser'
import { LRUCache } from 'lru-cache'
import { IN_APP_BROWSERS } from '../reference/user-agents.ts'

export interface UserAgent {
  readonly browser: string | null
  readonly browserVersion: string | null
  readonly os: string | null
  readonly osVersion: string | null
  /** desktop, mobile, tablet, tv or other. */
  readonly deviceType: string | null
  readonly deviceVendor: string | null
  readonly deviceModel: string | null
}

export const NO_USER_AGENT: UserAgent = {
  browser: null,
  browserVersion: null,
  os: null,
  osVersion: null,
  deviceType: null,
  deviceVendor: null,
  deviceModel: null,
}

/**
 * Characters of a user agent that are looked at. Real ones are below 500; patterns that read the text again and
 * again take milliseconds over 64 kB of hostile text and a fraction of one over this much.
 */
export const USER_AGENT_CHARACTERS_MAX = 1024

/** @returns what the text names; a function of the text alone, so that a cache in front changes nothing */
export function parseUserAgent(text: string): UserAgent {
  if (text === '') return NO_USER_AGENT
  const seen = text.slice(0, USER_AGENT_CHARACTERS_MAX)
  const { browser, os, platform } = Bowser.parse(seen)
  const inApp = IN_APP_BROWSERS.find(([, token]) => seen.includes(token))
  const osName = os.name || null
  return {
    browser: inApp?.[0] ?? (browser.name || null),
    browserVersion: inApp ? versionAfter(seen, inApp[1]) : browser.version || null,
    os: osName,
    // Windows calls 10 and 11 both `NT 10.0`; people know it by its name.
    osVersion: (osName === 'Windows' ? os.versionName : null) || os.version || null,
    deviceType: deviceType(platform.type, osName, browser.name),
    deviceVendor: platform.vendor || null,
    deviceModel: platform.model || androidModel(seen),
  }
}

/**
 * The same with the latest answers kept: a day's traffic has a few thousand user agents.
 *
 * @param entriesMax about 2 kB each
 */
export function cachedUserAgents(entriesMax: number): (text: string) => UserAgent {
  const cache = new LRUCache<string, UserAgent>({ max: entriesMax })
  return (text) => {
    const key = text.slice(0, USER_AGENT_CHARACTERS_MAX)
    const held = cache.get(key)
    if (held) return held
    const parsed = parseUserAgent(key)
    cache.set(key, parsed)
    return parsed
  }
}

function deviceType(
  platform: string | undefined,
  os: string | null,
  browser: string | undefined,
): string | null {
  if (platform === 'desktop' || platform === 'mobile' || platform === 'tablet' || platform === 'tv')
    return platform
  return platform || os || browser ? 'other' : null
}

/** `<token>/1.2.3` or `<token> 1.2.3`; Facebook's version stands behind a token of its own. */
function versionAfter(text: string, token: string): string | null {
  const at = token.startsWith('FB') ? text.indexOf('FBAV/') + 4 : text.indexOf(token) + token.length - 1
  const match = /^.?[/ v]{0,2}(\d[\d.]{0,30})/.exec(text.slice(at, at + 40))
  return match?.[1]?.replace(/\.$/, '') ?? null
}

/** `Android 13; SM-S918B Build/…)`: the part before Build or the bracket, unless it is a language or the reduced `K`. */
function androidModel(text: string): string | null {
  const match = /Android [\d.]{1,10}; (?:[a-z]{2}-[a-zA-Z]{2}; )?([^;()]{2,60})/.exec(text)
  const model = match?.[1]?.replace(/ Build\/.*$/, '').trim()
  return model && model !== 'wv' && model !== 'Mobile' && !model.startsWith('rv:') ? model : null
}
