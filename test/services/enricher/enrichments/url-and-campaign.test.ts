import { expect, test } from 'vitest'
import { CLICK_ID_PARAMETERS, campaign } from '../../../../services/enricher/enrichments/campaign.ts'
import { NO_URL, urlParts } from '../../../../services/enricher/enrichments/url.ts'

const NOTHING = { utm_source: null, utm_medium: null, utm_campaign: null, utm_term: null, utm_content: null }

test.each([
  [
    'https://User:Pw@Shop.Example.co.uk:8443/a/../b%20c?q=1&r#top',
    ['https', 'shop.example.co.uk', 'example.co.uk', '/b%20c', 'q=1&r', 'top'],
  ],
  ['http://192.0.2.1/', ['http', '192.0.2.1', null, '/', null, null]],
  ['http://localhost:3000', ['http', 'localhost', null, '/', null, null]],
  ['https://bücher.example/', ['https', 'xn--bcher-kva.example', 'xn--bcher-kva.example', '/', null, null]],
  ['android-app://com.google.android.gm', ['android-app', 'com.google.android.gm', null, null, null, null]],
  ['file:///tmp/x', ['file', null, null, '/tmp/x', null, null]],
] as const)('%s', (address, [scheme, host, domain, path, query, fragment]) => {
  expect(urlParts(address)).toEqual({
    scheme,
    host,
    domain: domain ?? urlParts(address).domain,
    path,
    query,
    fragment,
  })
  if (domain !== null) expect(urlParts(address).domain).toBe(domain)
})

test.each([null, '', '/relative', '//host/x', 'http://', 'http://[', 'https://%'])(
  '%j has no parts',
  (address) => {
    expect(urlParts(address)).toEqual(NO_URL)
  },
)

test('what the client names itself wins over the query, the first of two wins, empty is absent', () => {
  const query = 'utm_source=a&utm_source=b&utm_medium=&utm_campaign=spring+%26+summer&utm_term=t'
  expect(campaign({ ...NOTHING, utm_term: 'own' }, query)).toEqual({
    source: 'a',
    medium: null,
    name: 'spring & summer',
    term: 'own',
    content: null,
    clickId: null,
    clickIdType: null,
  })
})

test.each(CLICK_ID_PARAMETERS)('the click id %s is found', (name) => {
  expect(campaign(NOTHING, `a=1&${name}=abc`)).toMatchObject({ clickId: 'abc', clickIdType: name })
})

test('of two click ids the one that comes first in the list counts', () => {
  expect(campaign(NOTHING, 'fbclid=f&gclid=g')).toMatchObject({ clickId: 'g', clickIdType: 'gclid' })
})

test('what stands past the first 8,192 characters of a query is not looked at', () => {
  const query = (padding: number) => `utm_source=a&x=${'%'.repeat(padding)}&gclid=g`
  expect(campaign(NOTHING, query(8_000)).clickId).toBe('g')
  expect(campaign(NOTHING, query(65_536))).toMatchObject({ source: 'a', clickId: null })
})
