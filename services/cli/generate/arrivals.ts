import type { Random } from './random.ts'

/** How a visit came about: its referrer, and what the campaign added to the landing address. */
export interface Arrival {
  readonly referrer: string | null
  readonly query: string
  readonly campaign: Readonly<Record<string, string>> | null
}

const direct: Arrival = { referrer: null, query: '', campaign: null }
const from = (referrer: string): Arrival => ({ referrer, query: '', campaign: null })

function paid(source: string, medium: string, name: string, click?: string): Arrival {
  const tags = `utm_source=${source}&utm_medium=${medium}&utm_campaign=${name}`
  return { referrer: null, query: click ? `${tags}&${click}` : tags, campaign: { source, medium, name } }
}

/** @param random one draw per visit; click ids are new every time, as they are in life */
export function drawArrival(random: Random): Arrival {
  const kind = random.weighted([
    [34, 'direct'],
    [24, 'search'],
    [12, 'social'],
    [6, 'email'],
    [12, 'paid'],
    [5, 'ai'],
    [7, 'other'],
  ] as const)
  switch (kind) {
    case 'direct':
      return direct
    case 'search':
      return from(
        random.pick(['https://www.google.com/', 'https://www.bing.com/', 'https://duckduckgo.com/']),
      )
    case 'social':
      return from(
        random.pick(['https://www.facebook.com/', 'https://t.co/x1', 'https://www.reddit.com/r/tea']),
      )
    case 'email':
      return paid('newsletter', 'email', 'weekly')
    case 'ai':
      return from(random.pick(['https://chatgpt.com/', 'https://www.perplexity.ai/']))
    case 'other':
      return from(random.pick(['https://example.org/reviews', 'https://blog.example.net/best-of']))
    case 'paid': {
      const [source, name, click] = random.pick([
        ['google', 'spring_sale', 'gclid'],
        ['facebook', 'lookalike_eu', 'fbclid'],
        ['bing', 'brand', 'msclkid'],
      ] as const)
      return {
        ...paid(source, 'cpc', name, `${click}=${random.hex()}`),
        referrer: source === 'google' ? 'https://www.google.com/' : null,
      }
    }
  }
}
