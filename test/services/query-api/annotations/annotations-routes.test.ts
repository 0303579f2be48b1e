import { expect, test } from 'vitest'
import { familyBehaviour } from '../objects/family-behaviour.ts'
import { recordingEnvironment } from '../recording-environment.ts'

familyBehaviour({
  tag: 'annotations',
  object: 'annotation',
  least: { content: 'Release' },
  absent: { date_marker: null, creation_type: 'USR', scope: 'dashboard_item', dashboard_item: null },
  whole: {
    content: 'New "checkout" 🙂',
    date_marker: '2026-11-20T09:00:00+01:00',
    creation_type: 'GIT',
    scope: 'project',
    dashboard_item: 5,
  },
  shown: { date_marker: '2026-11-20T08:00:00.000Z' },
  change: { content: 'Changed' },
  wrong: [
    [{ content: undefined }, 'content', 'required'],
    [{ content: '' }, 'content', 'blank'],
    [{ content: 'x'.repeat(401) }, 'content', 'max_length'],
    [{ content: null }, 'content', 'null'],
    [{ content: 'a\0' }, 'content', 'null_characters_not_allowed'],
    [{ content: ['a'] }, 'content', 'invalid_input'],
    [{ date_marker: 'soon' }, 'date_marker', 'invalid_input'],
    [{ date_marker: '2026-02-31' }, 'date_marker', 'invalid_input'],
    [{ date_marker: 1_790_000_000 }, 'date_marker', 'invalid_input'],
    [{ creation_type: 'BOT' }, 'creation_type', 'invalid_input'],
    [{ scope: 'organization' }, 'scope', 'invalid_input'],
    [{ dashboard_item: '5' }, 'dashboard_item', 'invalid_input'],
    [{ dashboard_item: 0 }, 'dashboard_item', 'invalid_input'],
    [{ dashboard_item: 1.5 }, 'dashboard_item', 'invalid_input'],
  ],
})

const PATH = '/api/datasets/shop/annotations'

test('a search finds text in any case, and its % and _ mean themselves', async () => {
  const { send, personalKey } = recordingEnvironment()
  const key = await personalKey(['annotation:write'])
  for (const content of ['100% more', '100 more', 'New_checkout', "it's\\new"])
    await send('POST', PATH, key, { content })
  const found = async (search: string) => {
    const { body } = await send('GET', `${PATH}?search=${encodeURIComponent(search)}`, key)
    return body.results.map(({ content }: { content: string }) => content).toSorted()
  }
  expect(await found('MORE')).toEqual(['100 more', '100% more'])
  expect(await found('0% ')).toEqual(['100% more'])
  expect(await found('new_')).toEqual(['New_checkout'])
  expect(await found('\\new')).toEqual(["it's\\new"])
  expect(await found("'s")).toEqual(["it's\\new"])
  expect(await found("' OR 1=1 --")).toEqual([])
  expect(await found('')).toHaveLength(4)
  expect((await send('GET', `${PATH}?search=a%00b`, key)).body.code).toBe('null_characters_not_allowed')
})

test('the newest marker comes first', async () => {
  const { send, personalKey } = recordingEnvironment()
  const key = await personalKey(['annotation:write'])
  for (const date_marker of ['2026-11-01', null, '2026-12-01', '2026-11-10'])
    await send('POST', PATH, key, { content: 'a', date_marker })
  const { body } = await send('GET', PATH, key)
  expect(body.results.map(({ id }: { id: number }) => id)).toEqual([3, 2, 4, 1])
})
