/** A browser or app that visits: what its requests say of it. */
export interface Browser {
  readonly userAgent: string
  readonly screen: readonly [width: number, height: number]
  readonly viewport: readonly [width: number, height: number]
}

const desktop = (userAgent: string, width: number, height: number): Browser => ({
  userAgent,
  screen: [width, height],
  viewport: [width, height - 140],
})
const phone = (userAgent: string, width: number, height: number): Browser => ({
  userAgent,
  screen: [width, height],
  viewport: [width, height - 110],
})

/** Shares are those of an ordinary consumer site, not of any one survey. */
export const BROWSERS: readonly (readonly [weight: number, browser: Browser])[] = [
  [
    30,
    desktop(
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
      1920,
      1080,
    ),
  ],
  [
    20,
    phone(
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
      390,
      844,
    ),
  ],
  [
    18,
    phone(
      'Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36',
      412,
      923,
    ),
  ],
  [
    10,
    desktop(
      'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
      1728,
      1117,
    ),
  ],
  [8, desktop('Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0', 2560, 1440)],
  [
    7,
    desktop(
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0',
      1536,
      864,
    ),
  ],
  [
    4,
    phone(
      'Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
      820,
      1180,
    ),
  ],
  [
    3,
    phone(
      'Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/27.0 Chrome/125.0.0.0 Mobile Safari/537.36',
      360,
      780,
    ),
  ],
]

export const BOTS: readonly Browser[] = [
  'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
  'Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)',
  'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)',
  'curl/8.9.1',
].map((userAgent) => desktop(userAgent, 1024, 768))

/** Where people are: locale, time zone, and the first two bytes of their address. */
export const PLACES: readonly (readonly [
  weight: number,
  place: { readonly locale: string; readonly timezone: string; readonly network: string },
])[] = [
  [30, { locale: 'en-US', timezone: 'America/New_York', network: '73.162' }],
  [12, { locale: 'en-GB', timezone: 'Europe/London', network: '81.152' }],
  [12, { locale: 'de-DE', timezone: 'Europe/Berlin', network: '91.64' }],
  [8, { locale: 'fr-FR', timezone: 'Europe/Paris', network: '90.120' }],
  [8, { locale: 'ja-JP', timezone: 'Asia/Tokyo', network: '126.72' }],
  [8, { locale: 'pt-BR', timezone: 'America/Sao_Paulo', network: '177.32' }],
  [6, { locale: 'en-IN', timezone: 'Asia/Kolkata', network: '49.36' }],
  [4, { locale: 'en-AU', timezone: 'Australia/Sydney', network: '1.128' }],
]
