import { isbot, isbotMatch } from 'isbot'
import { LRUCache } from 'lru-cache'
import { BOT_NAMES } from '../reference/user-agents.ts'
import { USER_AGENT_CHARACTERS_MAX } from './user-agent.ts'

export interface Bot {
  /** Null without a user agent. */
  readonly isBot: boolean | null
  readonly name: string | null
}

export const NO_BOT: Bot = { isBot: null, name: null }
const PERSON: Bot = { isBot: false, name: null }

/**
 * Does the user agent call itself a bot, a crawler or a program? One that claims to be a browser is believed.
 *
 * @param text as sent; the first {@link USER_AGENT_CHARACTERS_MAX} characters count
 */
export function detectBot(text: string): Bot {
  if (text === '') return NO_BOT
  const seen = text.slice(0, USER_AGENT_CHARACTERS_MAX)
  const lower = seen.toLowerCase()
  if (!isbot(seen)) return PERSON
  const named = BOT_NAMES.find(([, token]) => lower.includes(token))
  return { isBot: true, name: named?.[0] ?? ownName(seen) ?? isbotMatch(seen)?.slice(0, 64) ?? null }
}

/** @param entriesMax as for the user agents beside it */
export function cachedBots(entriesMax: number): (text: string) => Bot {
  const cache = new LRUCache<string, Bot>({ max: entriesMax })
  return (text) => {
    const key = text.slice(0, USER_AGENT_CHARACTERS_MAX)
    const held = cache.get(key)
    if (held) return held
    const detected = detectBot(key)
    cache.set(key, detected)
    return detected
  }
}

/** A word that ends in bot, spider or crawler: what unlisted ones call themselves. */
function ownName(text: string): string | null {
  return /\b[\w-]{0,40}(?:bot|spider|crawler)\b/i.exec(text)?.[0] ?? null
}
