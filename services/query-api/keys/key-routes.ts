import { listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import { readBody } from '../http/read-body.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { type Call, type InstallationRoute, pathParameter } from '../http/route.ts'
import { KeyBody, KeyChange, overlapOf, RollBody } from './key-body.ts'
import { KEY_BELIEVED_MS } from './key-lookup.ts'
import type { KeyManagement } from './manage-keys.ts'
import { NewKeyView, PersonalKeyView } from './personal-key.ts'

/** Personal API keys. */
export function keyRoutes(keys: KeyManagement): InstallationRoute[] {
  const idOf = (call: Call) => pathParameter(call, 'id')
  const common = { about: 'installation', tag: 'personal_api_keys', limit: 'default' } as const
  const read = { object: 'personal_api_key', action: 'read' } as const
  const write = { object: 'personal_api_key', action: 'write' } as const
  const path = '/api/personal_api_keys'
  const one = { params: { id: EXAMPLE_KEY.id } }
  const success = { status: 200, description: 'The key as it is now.', schema: PersonalKeyView } as const
  return [
    {
      ...common,
      method: 'GET',
      path,
      summary: 'Lists the keys that this key sees: those for no other datasets than its own.',
      access: read,
      parameters: pageParameters(),
      success: { status: 200, description: 'Keys, newest first.', schema: listOf(PersonalKeyView) },
      example: { answer: { count: 1, next: null, previous: null, results: [EXAMPLE_KEY] } },
      answer: async ({ principal, query, url }) => {
        refuseUnknown(query, Object.keys(pageParameters()))
        const page = readPage(query)
        const all = await keys.visible(principal)
        return listAnswer(all.slice(page.offset, page.offset + page.limit), all.length, page, url)
      },
    },
    {
      ...common,
      method: 'POST',
      path,
      summary: 'Makes a key. Its text is in this answer and never shown again.',
      access: write,
      body: KeyBody,
      success: { status: 201, description: 'The key, with its text in `value`.', schema: NewKeyView },
      example: { body: EXAMPLE_BODY, answer: { ...EXAMPLE_KEY, value: EXAMPLE_TEXT } },
      answer: async ({ principal, body }) => ({
        status: 201,
        body: await keys.make(principal, readBody(KeyBody, body)),
      }),
    },
    {
      ...common,
      method: 'GET',
      path: `${path}/:id`,
      summary: 'One key, without its text.',
      access: read,
      success,
      example: { ...one, answer: EXAMPLE_KEY },
      answer: async (call) => ({ body: await keys.one(call.principal, idOf(call)) }),
    },
    {
      ...common,
      method: 'PUT',
      path: `${path}/:id`,
      summary: 'Replaces label, scopes, datasets and expiry; one that is left out is removed.',
      access: write,
      body: KeyBody,
      success,
      example: { ...one, body: EXAMPLE_BODY, answer: EXAMPLE_KEY },
      answer: async (call) => ({
        body: await keys.replace(call.principal, idOf(call), readBody(KeyBody, call.body)),
      }),
    },
    {
      ...common,
      method: 'PATCH',
      path: `${path}/:id`,
      summary: 'Changes what is named of label, scopes, datasets and expiry.',
      access: write,
      body: KeyChange,
      success,
      example: { ...one, body: { label: EXAMPLE_KEY.label }, answer: EXAMPLE_KEY },
      answer: async (call) => ({
        body: await keys.change(call.principal, idOf(call), readBody(KeyChange, call.body)),
      }),
    },
    {
      ...common,
      method: 'POST',
      path: `${path}/:id/roll`,
      summary: 'Gives the key a new text. The old one ends at once, or after an overlap.',
      access: write,
      body: RollBody,
      success: { status: 200, description: 'The key, with its new text in `value`.', schema: NewKeyView },
      example: { ...one, body: { overlap: '24h' }, answer: { ...EXAMPLE_KEY, value: EXAMPLE_TEXT } },
      answer: async (call) => {
        const overlapMs = overlapOf(readBody(RollBody, call.body ?? {}))
        return { body: await keys.roll(call.principal, idOf(call), overlapMs) }
      },
    },
    {
      ...common,
      method: 'DELETE',
      path: `${path}/:id`,
      summary: 'Revokes a key and removes it for good.',
      access: write,
      success: {
        status: 204,
        description: `It is gone: refused at once here, and within ${KEY_BELIEVED_MS / 1000} seconds everywhere.`,
      },
      example: one,
      answer: async (call) => {
        await keys.remove(call.principal, idOf(call))
        return { status: 204 }
      },
    },
  ]
}

const EXAMPLE_TEXT = 'mr_p_…'
const EXAMPLE_BODY = {
  label: 'dashboards',
  scopes: ['insight:read', 'annotation:write'],
  datasets: ['shop'],
}
const EXAMPLE_KEY = {
  id: '5f0c1a9be2d34c7788aa0b1c',
  ...EXAMPLE_BODY,
  mask_value: 'mr_p_…kQ3x',
  created_at: '2026-11-28T09:00:00.000Z',
  created_by: 'administrator',
  last_rolled_at: null,
  previous_value_until: null,
  expires_at: null,
  last_used_at: null,
}
