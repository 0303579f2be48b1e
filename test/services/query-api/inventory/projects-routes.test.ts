import { expect, test } from 'vitest'
import { recordingEnvironment } from '../recording-environment.ts'

const acme = { id: 'acme', organization: 'millrace', name: 'acme' }
const PATHS = ['/api/projects', '/api/projects/acme', '/api/organization']

test('a key sees the projects of its datasets, each once, and the organization that they belong to', async () => {
  const { get, keys, personalKey } = recordingEnvironment()
  const ids = async (key: string, query = '') =>
    (await get(`/api/projects${query}`, key)).json().results.map(({ id }: { id: string }) => id)
  const all = await personalKey(['project:read', 'organization:read'], ['*'])
  expect((await get('/api/projects')).json()).toEqual({
    count: 1,
    next: null,
    previous: null,
    results: [acme],
  })
  expect(await ids(keys.blogRead)).toEqual(['other'])
  expect(await ids(all)).toEqual(['acme', 'other'])
  expect(await ids(all, '?limit=1&offset=1')).toEqual(['other'])
  expect((await get('/api/projects/acme')).json()).toEqual(acme)
  expect((await get('/api/organization', all)).json()).toEqual({
    id: 'millrace',
    name: 'millrace',
    status: 'ACTIVE',
    is_managed: false,
    parent: null,
  })
})

test('a project of other datasets is answered like one that does not exist', async () => {
  const { get } = recordingEnvironment()
  const foreign = await get('/api/projects/other')
  expect(foreign.statusCode).toBe(404)
  expect((await get('/api/projects/nothing')).json()).toEqual(foreign.json())
})

test.each(PATHS)(
  '%s needs its scope, takes no other parameter, changes nothing and is limited',
  async (path) => {
    const { get, send, keys, personalKey } = recordingEnvironment()
    const other = await personalKey(['insight:read'])
    expect((await get(path, null)).statusCode).toBe(401)
    const refused = await get(path, other)
    expect([refused.statusCode, refused.json().detail]).toEqual([
      403,
      expect.stringContaining(path.endsWith('organization') ? 'organization:read' : 'project:read'),
    ])
    expect((await get(`${path}?search=x`)).json()).toMatchObject({ code: 'invalid_input', attr: 'search' })
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
      expect((await send(method, path, keys.shopRead, {})).status).toBe(405)
    expect((await get(path)).headers['ratelimit-policy']).toBe('480;w=60;comment="burst"')
  },
)
