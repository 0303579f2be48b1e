import { expect, test } from 'vitest'
import { ACTIONS_MAX } from '../../../../services/query-api/actions/action-family.ts'
import { familyBehaviour } from '../objects/family-behaviour.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const wholeStep = {
  event: '$pageview',
  url: '/checkout',
  url_matching: 'regex',
  text: 'Buy',
  text_matching: 'contains',
  href: '/pay',
  href_matching: 'contains',
  tag_name: 'a',
  selector: '#buy > a',
  name: 'old',
  properties: [{ key: 'plan', operator: 'exact', value: ['pro'], type: 'event' }],
}
const steps = (...given: object[]) => ({ steps: given })

familyBehaviour({
  tag: 'actions',
  object: 'action',
  least: { name: 'Bought' },
  absent: {
    description: '',
    steps: [],
    tags: [],
    post_to_slack: false,
    slack_message_format: '',
    is_calculating: false,
    last_calculated_at: null,
  },
  whole: {
    name: 'Paid "now" 🙂',
    description: 'All ways to pay',
    steps: [wholeStep, { ...wholeStep, event: null }],
    tags: ['revenue', 'shop'],
    post_to_slack: true,
    slack_message_format: '[event]',
  },
  change: { name: 'Changed' },
  wrong: [
    [{ name: undefined }, 'name', 'required'],
    [{ name: '' }, 'name', 'blank'],
    [{ name: null }, 'name', 'null'],
    [{ name: 'x'.repeat(401) }, 'name', 'max_length'],
    [{ description: 5 }, 'description', 'invalid_input'],
    [{ tags: 'a' }, 'tags', 'invalid_input'],
    [{ tags: Array(51).fill('a') }, 'tags', 'max_length'],
    [{ tags: [''] }, 'tags__0', 'blank'],
    [{ post_to_slack: 1 }, 'post_to_slack', 'invalid_input'],
    [{ post_to_slack: 'true' }, 'post_to_slack', 'invalid_input'],
    [{ steps: {} }, 'steps', 'invalid_input'],
    [steps({}, []), 'steps__1', 'invalid_input'],
    [steps({ event: 5 }), 'steps__0__event', 'invalid_input'],
    [steps({}, { event: 'a', urls: 'b' }), 'steps__1__urls', 'invalid_input'],
    [steps({ url_matching: 'like' }), 'steps__0__url_matching', 'invalid_input'],
    [steps({ url: 'x'.repeat(1_001) }), 'steps__0__url', 'invalid_input'],
    [steps({ url: 'a\0b' }), 'steps__0__url', 'null_characters_not_allowed'],
    [steps({ properties: [5] }), 'steps__0__properties', 'invalid_input'],
    [steps({}, { properties: [{ key: 'a', operator: 'sql' }] }), 'steps__1__properties', 'invalid_input'],
    [steps({ properties: [{ type: 'hogql', key: '(SELECT 1)' }] }), 'steps__0__properties', 'invalid_query'],
    [steps({}, { selector: 'a:hover' }), 'steps__1__selector', 'invalid_input'],
    [{ steps: Array(51).fill({}) }, 'steps', 'max_length'],
    [{ is_calculating: true }, 'is_calculating', 'invalid_input'],
  ],
})

const PATH = '/api/datasets/shop/actions'

async function opened() {
  const { send, personalKey } = recordingEnvironment()
  const key = await personalKey(['*'], ['shop', 'blog'])
  return (method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE', url: string, body?: unknown) =>
    send(method, url, key, body)
}

test('a name belongs to one action of a dataset, until that one is deleted', async () => {
  const call = await opened()
  const taken = { status: 400, body: { type: 'validation_error', code: 'unique', attr: 'name' } }
  await call('POST', PATH, { name: 'Bought' })
  expect(await call('POST', PATH, { name: 'Bought' })).toMatchObject(taken)
  expect((await call('POST', '/api/datasets/blog/actions', { name: 'Bought' })).status).toBe(201)
  const { id } = (await call('POST', PATH, { name: 'Paid' })).body
  expect(await call('PATCH', `${PATH}/${id}`, { name: 'Bought' })).toMatchObject(taken)
  expect(await call('PUT', `${PATH}/${id}`, { name: 'Bought' })).toMatchObject(taken)
  expect((await call('PATCH', `${PATH}/${id}`, { name: 'Paid' })).status).toBe(200)
  await call('PATCH', `${PATH}/1`, { deleted: true })
  expect((await call('PATCH', `${PATH}/${id}`, { name: 'Bought' })).status).toBe(200)
  expect(await call('PATCH', `${PATH}/1`, { deleted: false })).toMatchObject(taken)
})

test('a step is shown with every condition that it has', async () => {
  const call = await opened()
  const { body } = await call('POST', PATH, { name: 'a', ...steps({ event: 'purchase' }, { text: 'Buy' }) })
  expect(body.steps).toEqual([
    {
      event: 'purchase',
      url: null,
      url_matching: 'contains',
      text: null,
      text_matching: 'exact',
      href: null,
      href_matching: 'exact',
      tag_name: null,
      selector: null,
      name: null,
      properties: [],
    },
    expect.objectContaining({ event: null, text: 'Buy' }),
  ])
})

test('a change of the name leaves the steps as they are; a tag is kept once', async () => {
  const call = await opened()
  const made = (await call('POST', PATH, { name: 'a', tags: ['x', 'y', 'x'], ...steps({ event: 'e' }) })).body
  expect(made.tags).toEqual(['x', 'y'])
  const { body } = await call('PATCH', `${PATH}/1`, { name: 'b' })
  expect({ ...body, name: 'a', updated_at: made.updated_at }).toEqual(made)
})

test('a list is searched by names, in any case, where no character means another', async () => {
  const call = await opened()
  for (const name of ['Bought', 'Bought 100%', 'Left'])
    await call('POST', PATH, { name, description: 'bought' })
  const found = async (search: string) =>
    (await call('GET', `${PATH}?search=${encodeURIComponent(search)}`)).body.results.map(
      ({ id }: { id: number }) => id,
    )
  expect(await found('')).toEqual([3, 2, 1])
  expect(await found('bOUG')).toEqual([2, 1])
  expect(await found('0%')).toEqual([2])
  expect(await found('B_ught')).toEqual([])
})

test('a dataset has its bound of actions, and a list holds all of them', async () => {
  const { env, send, personalKey, clock } = recordingEnvironment()
  const key = await personalKey(['*'])
  for (let i = 0; i < ACTIONS_MAX; i++) {
    if (i % 400 === 0) await clock.advance(3_600_000)
    const { status } = await send('POST', PATH, key, { name: `action ${i}` })
    expect(status).toBe(201)
  }
  const { status, body } = await send('POST', PATH, key, { name: 'one more' })
  expect([status, body.code]).toEqual([400, 'limit_reached'])
  await clock.advance(3_600_000)
  const list = (await send('GET', PATH, key)).body
  expect([list.count, list.results.length, list.next]).toEqual([ACTIONS_MAX, ACTIONS_MAX, null])
  await env.metadata.close()
})
