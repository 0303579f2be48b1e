import { expect, test } from 'vitest'
import { referrer, referrerTable } from '../../../../services/enricher/enrichments/referrer.ts'
import { urlParts } from '../../../../services/enricher/enrichments/url.ts'
import { REFERRERS } from '../../../../services/enricher/reference/referrers.ts'

const table = referrerTable(REFERRERS)
const page = urlParts('https://shop.example.co.uk/cart')
const from = (address: string | null) => {
  const { category, name } = referrer(address, page, true, table)
  return [category, name]
}

test.each([
  ['https://www.google.de/', 'search', 'Google'],
  ['https://www.google.co.uk/url?q=x', 'search', 'Google'],
  ['https://news.google.com/', 'search', 'Google'],
  ['android-app://com.google.android.googlequicksearchbox/', 'search', 'Google'],
  ['https://www.bing.com/search?q=x', 'search', 'Bing'],
  ['https://search.yahoo.com/', 'search', 'Yahoo'],
  ['https://uk.search.yahoo.com/', 'search', 'Yahoo'],
  ['https://yandex.ru/', 'search', 'Yandex'],
  ['https://duckduckgo.com/', 'search', 'DuckDuckGo'],
  ['https://mail.google.com/mail/u/0', 'email', 'Gmail'],
  ['android-app://com.google.android.gm', 'email', 'Gmail'],
  ['https://mail.yahoo.com/', 'email', 'Yahoo Mail'],
  ['https://outlook.live.com/', 'email', 'Outlook'],
  ['https://gemini.google.com/app', 'ai', 'Gemini'],
  ['https://chatgpt.com/', 'ai', 'ChatGPT'],
  ['https://www.perplexity.ai/search', 'ai', 'Perplexity'],
  ['https://claude.ai/', 'ai', 'Claude'],
  ['https://copilot.microsoft.com/', 'ai', 'Microsoft Copilot'],
  ['https://l.facebook.com/l.php', 'social', 'Facebook'],
  ['https://t.co/abc', 'social', 'X'],
  ['https://x.com/', 'social', 'X'],
  ['https://old.reddit.com/r/x', 'social', 'Reddit'],
  ['https://news.ycombinator.com/item', 'social', 'Hacker News'],
  ['https://www.pinterest.fr/pin', 'social', 'Pinterest'],
  ['https://out.reddit.com', 'social', 'Reddit'],
  ['https://googleads.g.doubleclick.net/aclk', 'paid', 'Google Ads'],
  ['https://trc.taboola.com/', 'paid', 'Taboola'],
  ['https://notgoogle.com/', 'other', null],
  ['https://google.example.com/', 'other', null],
  ['https://fooreddit.com/', 'other', null],
  ['http://192.0.2.1/', 'other', null],
  [`https://${'a.'.repeat(200)}google.com/`, 'other', null],
  ['nonsense', 'other', null],
  ['about:blank', 'other', null],
  ['https://blog.example.co.uk/', 'internal', null],
  ['https://shop.example.co.uk/', 'internal', null],
  ['https://other.co.uk/', 'other', null],
] as const)('%s is %s %s', (address, category, name) => {
  expect(from(address)).toEqual([category, name])
})

test('without a referrer a page is visited directly, and an event without a page came from nowhere', () => {
  expect(from(null)).toEqual(['direct', null])
  expect(from('')).toEqual(['direct', null])
  expect(referrer(null, { host: null, domain: null }, false, table).category).toBeNull()
})

test('two hosts without a registrable domain are not of one site', () => {
  const local = urlParts('http://192.0.2.1/')
  expect(referrer('http://192.0.2.2/', local, true, table).category).toBe('other')
  expect(referrer('http://192.0.2.1:8080/', local, true, table).category).toBe('internal')
})

test('a host that stands under two names is a fault of the table', () => {
  expect(() => referrerTable({ search: { A: ['x.com'], B: ['x.com'] } })).toThrow('x.com')
})
