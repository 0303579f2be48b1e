import { expect, test } from 'vitest'
import { cachedBots, detectBot } from '../../../../services/enricher/enrichments/bot.ts'
import { cachedUserAgents, parseUserAgent } from '../../../../services/enricher/enrichments/user-agent.ts'

const IOS = 'Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)'
const ANDROID =
  'Mozilla/5.0 (Linux; Android 13; SM-S918B Build/TP1A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.0.0 Mobile Safari/537.36'

test.each([
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36 Edg/119.0.2151.97',
    ['Microsoft Edge', '119.0.2151.97', 'Windows', '10', 'desktop', null, null],
  ],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15',
    ['Safari', '17.1', 'macOS', '10.15.7', 'desktop', 'Apple', null],
  ],
  [
    `${IOS} Version/17.1 Mobile/15E148 Safari/604.1`,
    ['Safari', '17.1', 'iOS', '17.1', 'mobile', 'Apple', 'iPhone'],
  ],
  [
    'Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1',
    ['Safari', '16.6', 'iOS', '16.6', 'tablet', 'Apple', 'iPad'],
  ],
  [
    'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36',
    ['Chrome', '120.0.0.0', 'Android', '10', 'mobile', null, null],
  ],
  [ANDROID, ['Chrome', '120.0.0.0', 'Android', '13', 'mobile', null, 'SM-S918B']],
  [
    'Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0',
    ['Firefox', '121.0', 'Linux', null, 'desktop', null, null],
  ],
  [
    `${IOS} Mobile/15E148 [FBAN/FBIOS;FBAV/440.0.0.33.117;FBBV/538]`,
    ['Facebook', '440.0.0.33.117', 'iOS', '17.1', 'mobile', 'Apple', 'iPhone'],
  ],
  [
    `${ANDROID} Instagram 309.0.0.40 Android`,
    ['Instagram', '309.0.0.40', 'Android', '13', 'mobile', null, 'SM-S918B'],
  ],
  [
    `${IOS} Mobile/15E148 MicroMessenger/8.0.43`,
    ['WeChat', '8.0.43', 'iOS', '17.1', 'mobile', 'Apple', 'iPhone'],
  ],
  [
    `${IOS} GSA/294.0.586 Mobile/15E148`,
    ['Google App', '294.0.586', 'iOS', '17.1', 'mobile', 'Apple', 'iPhone'],
  ],
  ['curl/8.1.2', [null, null, null, null, null, null, null]],
  ['', [null, null, null, null, null, null, null]],
])('%s', (text, expected) => {
  expect(Object.values(parseUserAgent(text))).toEqual(expected)
})

test.each([
  ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'Googlebot'],
  [
    'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)',
    'GPTBot',
  ],
  ['Mozilla/5.0 (compatible; ClaudeBot/1.0; +claudebot@anthropic.com)', 'ClaudeBot'],
  ['Mozilla/5.0 (compatible; AcmeSpider/1.0)', 'AcmeSpider'],
  ['curl/8.1.2', 'curl'],
  ['python-requests/2.31', 'python-requests'],
])('%s is the bot %s', (text, name) => {
  expect(detectBot(text)).toEqual({ isBot: true, name })
})

test('a browser is no bot, and without a user agent nobody knows', () => {
  expect(detectBot(ANDROID)).toEqual({ isBot: false, name: null })
  expect(detectBot('')).toEqual({ isBot: null, name: null })
})

test('what stands past the first 1,024 characters changes nothing, cached or not', () => {
  const long = `${ANDROID}${' '.repeat(1_024)}`
  const [userAgents, bots] = [cachedUserAgents(2), cachedBots(2)]
  for (const tail of ['', 'Googlebot', 'a'.repeat(65_536), '('.repeat(65_536)]) {
    expect(userAgents(long + tail)).toEqual(parseUserAgent(long))
    expect(bots(long + tail)).toEqual(detectBot(long))
  }
})
