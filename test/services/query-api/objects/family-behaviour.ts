import { describe, expect, test } from 'vitest'
import type { ScopeObject } from '../../../../services/query-api/http/scopes.ts'
import { recordingEnvironment } from '../recording-environment.ts'

type Fields = Readonly<Record<string, unknown>>

export interface FamilyUnderTest {
  readonly tag: string
  readonly object: ScopeObject
  /** What POST must have at least, and what is then shown of the fields that it leaves out. */
  readonly least: Fields
  readonly absent: Fields
  /** Every field, none as it is when left out, and how each is shown where that is not as it was sent. */
  readonly whole: Fields
  readonly shown?: Fields
  /** A change of one field. */
  readonly change: Fields
  /** What is told of one by GET alone, beside what was sent. */
  readonly computed?: readonly string[]
  /** Wrong fields over `whole`: what is told about which. */
  readonly wrong: readonly (readonly [Fields, string, string])[]
}

interface Response {
  json(): Page
}

interface Page {
  readonly count: number
  readonly next: string | null
  readonly results: readonly { readonly id: number }[]
}

/** What every family of objects must do. Calls that are happy, wrong, foreign and limited. */
export function familyBehaviour(family: FamilyUnderTest): void {
  const { tag, object, least, whole } = family
  const path = `/api/datasets/shop/${tag}`
  const shown = { ...whole, ...family.shown }
  /** Without what is computed. */
  const plain = (body: Fields) =>
    Object.fromEntries(Object.entries(body).filter(([name]) => !family.computed?.includes(name)))

  async function opened(scopes: readonly string[] = [`${object}:write`]) {
    const system = recordingEnvironment()
    const key = await system.personalKey(scopes)
    const call = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', url: string, body?: unknown) =>
      system.send(method, url, key, body)
    return { ...system, key, call }
  }

  describe(`${tag}: what every family does`, () => {
    test('one is made, listed, read, replaced, changed and removed', async () => {
      const { call, clock } = await opened()
      const made = await call('POST', path, whole)
      expect(made).toMatchObject({ status: 201, body: { id: 1, deleted: false, ...shown } })
      expect(made.body.created_by).toMatch(/^personal_api_key:/)
      expect(made.body.created_at).toBe('2026-11-22T12:00:00.000Z')
      expect((await call('GET', path)).body).toEqual({
        count: 1,
        next: null,
        previous: null,
        results: [made.body],
      })
      expect(plain((await call('GET', `${path}/1`)).body)).toEqual(plain(made.body))
      await clock.advance(1_000)
      const replaced = await call('PUT', `${path}/1`, least)
      expect(replaced).toMatchObject({ status: 200, body: { ...family.absent, ...least } })
      expect(replaced.body.updated_at).toBe('2026-11-22T12:00:01.000Z')
      const changed = await call('PATCH', `${path}/1`, family.change)
      expect(changed).toMatchObject({ status: 200, body: { ...family.absent, ...least, ...family.change } })
      expect(changed.body.created_at).toBe(made.body.created_at)
      expect(await call('DELETE', `${path}/1`)).toMatchObject({ status: 204, body: null })
      for (const method of ['GET', 'DELETE'] as const)
        expect((await call(method, `${path}/1`)).status).toBe(404)
      expect((await call('GET', path)).body.count).toBe(0)
    })

    test('what POST leaves out is as the documentation says', async () => {
      const { call } = await opened()
      expect((await call('POST', path, least)).body).toMatchObject({ ...family.absent, ...least })
    })

    test('one that was deleted by PATCH is gone until PATCH restores it, and DELETE removes it for good', async () => {
      const { call } = await opened()
      await call('POST', path, whole)
      expect((await call('PATCH', `${path}/1`, { deleted: true })).body.deleted).toBe(true)
      expect((await call('GET', path)).body.results).toEqual([])
      expect((await call('GET', `${path}/1`)).status).toBe(404)
      expect((await call('PUT', `${path}/1`, least)).status).toBe(404)
      expect((await call('PATCH', `${path}/1`, { deleted: false })).body).toMatchObject({
        deleted: false,
        ...shown,
      })
      await call('PATCH', `${path}/1`, { deleted: true })
      expect((await call('DELETE', `${path}/1`)).status).toBe(204)
      expect((await call('PATCH', `${path}/1`, { deleted: false })).status).toBe(404)
      // A number is not used again: an address that somebody kept must not lead to another object.
      expect((await call('POST', path, whole)).body.id).toBe(2)
    })

    test('a change that was made from an older state is a conflict', async () => {
      const { call } = await opened()
      const { updated_at } = (await call('POST', path, whole)).body
      const first = await call('PATCH', `${path}/1`, { ...family.change, updated_at })
      expect(first.status).toBe(200)
      expect(Date.parse(first.body.updated_at)).toBeGreaterThan(Date.parse(updated_at))
      for (const [method, body] of [
        ['PATCH', { deleted: true, updated_at }],
        ['PUT', { ...least, updated_at }],
      ] as const) {
        const late = await call(method, `${path}/1`, body)
        expect([late.status, late.body.code, late.body.attr]).toEqual([409, 'conflict', 'updated_at'])
      }
      expect(plain((await call('GET', `${path}/1`)).body)).toEqual(plain(first.body))
    })

    test.each(family.wrong)('%j is a 400 about %s: %s', async (over, attr, code) => {
      const { call } = await opened()
      const made = (await call('POST', path, whole)).body
      for (const [method, url, body] of [
        ['POST', path, { ...whole, ...over }],
        ['PUT', `${path}/1`, { ...whole, ...over }],
        ['PATCH', `${path}/1`, over],
      ] as const) {
        // In a change nothing is missing.
        if (method === 'PATCH' && code === 'required') continue
        const { status, body: told } = await call(method, url, body)
        expect([method, status, told.type, told.attr, told.code]).toEqual([
          method,
          400,
          'validation_error',
          attr,
          code,
        ])
      }
      expect((await call('GET', path)).body.results).toEqual([made])
    })

    test.each([
      ['id', 7],
      ['dataset_id', 'blog'],
      ['created_by', 'me'],
      ['tenant_id', 'blog'],
    ])('the field %s cannot be set', async (field, value) => {
      const { call } = await opened()
      for (const [method, url] of [
        ['POST', path],
        ['PUT', `${path}/1`],
        ['PATCH', `${path}/1`],
      ] as const)
        expect(await call(method, url, { ...whole, [field]: value })).toMatchObject({
          status: 400,
          body: { attr: field, code: 'invalid_input' },
        })
    })

    test('a body that is no JSON object is a 400, one of another type a 415', async () => {
      const { app, call, key } = await opened()
      const raw = async (payload: string, type = 'application/json') => {
        const headers = { authorization: `Bearer ${key}`, 'content-type': type }
        const response = await app.inject({ method: 'POST', url: path, headers, payload })
        return [response.statusCode, response.json().code]
      }
      for (const text of ['[]', 'null', '"a"', '5', '{', '{"a":1,}', '', '{} {}', '\ufeff{}'])
        expect([text, await raw(text)]).toEqual([text, [400, 'parse_error']])
      expect(await raw('['.repeat(30_000) + ']'.repeat(30_000))).toEqual([400, 'parse_error'])
      expect((await call('POST', path, { a: JSON.parse('['.repeat(40) + ']'.repeat(40)) })).status).toBe(400)
      for (const type of ['text/plain', 'application/jsonx', 'application/x-www-form-urlencoded'])
        expect(await raw(JSON.stringify(whole), type)).toEqual([415, 'unsupported_media_type'])
      expect(await raw(JSON.stringify({ a: 'x'.repeat(70_000) }))).toEqual([413, 'request_too_large'])
    })

    test('keys without the scope, and of other datasets, change and see nothing', async () => {
      const { call, send, keys, personalKey } = await opened()
      await call('POST', path, whole)
      const reader = await personalKey([`${object}:read`])
      const stranger = await personalKey(['*'], ['blog'])
      const others = await personalKey(['personal_api_key:write', 'cohort:write'])
      const calls = [
        ['GET', path, undefined],
        ['GET', `${path}/1`, undefined],
        ['POST', path, whole],
        ['PUT', `${path}/1`, whole],
        ['PATCH', `${path}/1`, family.change],
        ['DELETE', `${path}/1`, undefined],
      ] as const
      const statuses = async (key: string | null) => {
        const found: number[] = []
        for (const [method, url, body] of calls) found.push((await send(method, url, key, body)).status)
        return found
      }
      expect(await statuses(stranger)).toEqual([404, 404, 404, 404, 404, 404])
      expect(await statuses(others)).toEqual([403, 403, 403, 403, 403, 403])
      expect(await statuses(keys.shopWrite)).toEqual([403, 403, 403, 403, 403, 403])
      expect(await statuses(null)).toEqual([401, 401, 401, 401, 401, 401])
      expect(await statuses(reader)).toEqual([200, 200, 403, 403, 403, 403])
      expect(await statuses(keys.shopRead)).toEqual([200, 200, 403, 403, 403, 403])
      // The same number in another dataset is another object, and none until somebody makes it.
      for (const [method, url, body] of calls.filter(([, url]) => url !== path))
        expect((await send(method, url.replace('shop', 'blog'), stranger, body)).status).toBe(404)
      expect((await send('GET', `/api/datasets/blog/${tag}`, stranger)).body.count).toBe(0)
      expect((await call('GET', path)).body.count).toBe(1)
    })

    test('what is no number of an object is a 404', async () => {
      const { call } = await opened()
      for (const id of ['0', '-1', '1.5', '01', '1e3', 'a', '9'.repeat(15), '9'.repeat(30), '1%00', "1'"])
        expect([id, (await call('GET', `${path}/${id}`)).status]).toEqual([id, 404])
    })

    test('GET changes nothing, other methods are told which there are', async () => {
      const { send, keys } = await opened()
      const many = await send('PUT', path, keys.shopRead)
      expect([many.status, many.headers.allow]).toEqual([405, 'GET, POST'])
      const one = await send('POST', `${path}/1`, keys.shopRead)
      expect([one.status, one.headers.allow]).toEqual([405, 'GET, PUT, PATCH, DELETE'])
    })

    test('pages follow each other without a gap, by absolute addresses', async () => {
      const { call, app, key } = await opened()
      for (let i = 0; i < 5; i++)
        await call('POST', path, least.name === undefined ? least : { ...least, name: `n${i}` })
      const ids: number[] = []
      let next: string | null = `http://localhost${path}?limit=2`
      while (next !== null) {
        const response: Response = await app.inject({
          url: next,
          headers: { authorization: `Bearer ${key}` },
        })
        const page: Page = response.json()
        expect(page.count).toBe(5)
        ids.push(...page.results.map(({ id }) => id))
        next = page.next
      }
      expect(ids.toSorted()).toEqual([1, 2, 3, 4, 5])
      const last = (await call('GET', `${path}?limit=2&offset=4`)).body
      expect(last.previous).toBe(`http://localhost${path}?limit=2&offset=2`)
      for (const wrong of ['limit=0', 'limit=1001', 'offset=-1', 'offset=x', 'ordering=id'])
        expect((await call('GET', `${path}?${wrong}`)).status).toBe(400)
    })

    test('the 481st call of a minute is too many, and changes nothing', async () => {
      const { call } = await opened()
      for (let i = 0; i < 480; i++) await call('GET', path)
      const refused = await call('POST', path, whole)
      expect([refused.status, refused.headers['ratelimit-limit']]).toEqual([429, '480'])
    })
  })
}
