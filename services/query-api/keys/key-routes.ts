import { accessKeyHash, generateAccessKey } from '../../core/control/access-key.ts'
import type { ControlView } from '../../core/control/control-view.ts'
import type { PersonalApiKeyRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { invalidInput, notFound } from '../http/api-error.ts'
import { listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import type { Principal } from '../http/principal.ts'
import { readBody } from '../http/read-body.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { type Call, type InstallationRoute, pathParameter } from '../http/route.ts'
import { reaches } from '../http/scopes.ts'
import {
  checkGrants,
  KeyBody,
  KeyChange,
  type KeyFields,
  keyFields,
  overlapOf,
  RollBody,
} from './key-body.ts'
import type { KeyLookup } from './key-lookup.ts'
import type { KeyStore } from './key-store.ts'
import { NewKeyView, PersonalKeyView, personalKeyView, rightsOf, tailOf } from './personal-key.ts'

const ID_BYTES = 12
/** Keys of an installation at most: lists of them are read whole. */
export const KEYS_MAX = 1_000

export interface KeyRouteNeeds {
  readonly store: KeyStore
  readonly lookup: Pick<KeyLookup, 'forget'>
  readonly control: Pick<ControlView, 'snapshot'>
  readonly clock: Pick<Clock, 'now'>
  readonly randomBytes: (size: number) => Uint8Array
}

/**
 * Personal API keys. One key sees another when it reaches all of its datasets, and changes or rolls it when it has all
 * of its rights: a roll hands out the new text, so it must not be a way to rights that the caller lacks.
 */
export function keyRoutes(needs: KeyRouteNeeds): InstallationRoute[] {
  const { store, lookup, control, clock, randomBytes } = needs
  const exists = (dataset: string) => control.snapshot.datasets.has(dataset)
  const view = (row: PersonalApiKeyRow) => personalKeyView(row, clock.now())

  function newText() {
    const text = generateAccessKey('personal', randomBytes)
    return { text, stored: { sha256: accessKeyHash(text), tail: tailOf(text) } }
  }

  async function visible(call: Call): Promise<PersonalApiKeyRow> {
    const row = await store.get(pathParameter(call, 'id'))
    if (row === null || !sees(call.principal, row)) throw notFound()
    return row
  }

  async function ownable(call: Call): Promise<PersonalApiKeyRow> {
    const row = await visible(call)
    checkGrants(call.principal, rightsOf(row))
    return row
  }

  async function changed(id: string, change: Partial<PersonalApiKeyRow>): Promise<PersonalApiKeyRow> {
    const row = await store.update(id, change)
    lookup.forget()
    if (row === null) throw notFound()
    return row
  }

  async function replace(call: Call, row: PersonalApiKeyRow, fields: KeyFields) {
    checkGrants(call.principal, fields.rights)
    return { body: view(await changed(row.id, columnsOf(fields))) }
  }

  const common = { about: 'installation', tag: 'personal_api_keys', limit: 'default' } as const
  const read = { object: 'personal_api_key', action: 'read' } as const
  const write = { object: 'personal_api_key', action: 'write' } as const
  const path = '/api/personal_api_keys'
  const one = { params: { id: EXAMPLE_KEY.id } }
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
      answer: async (call) => {
        refuseUnknown(call.query, Object.keys(pageParameters()))
        const page = readPage(call.query)
        const rows = (await store.list()).filter((row) => sees(call.principal, row))
        const shown = rows.slice(page.offset, page.offset + page.limit)
        return listAnswer(shown.map(view), rows.length, page, call.url)
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
      answer: async (call) => {
        const fields = keyFields(readBody(KeyBody, call.body), exists)
        checkGrants(call.principal, fields.rights)
        if ((await store.list()).length >= KEYS_MAX)
          throw invalidInput('label', `There are ${KEYS_MAX} keys, which is the limit.`, 'limit_reached')
        const { text, stored } = newText()
        const row: PersonalApiKeyRow = {
          id: Buffer.from(randomBytes(ID_BYTES)).toString('hex'),
          ...columnsOf(fields),
          ...stored,
          previous_sha256: null,
          previous_until: null,
          created_at: clock.now(),
          created_by: call.principal.name,
          rolled_at: null,
          last_used_at: null,
        }
        await store.insert(row)
        return { status: 201, body: { ...view(row), value: text } }
      },
    },
    {
      ...common,
      method: 'GET',
      path: `${path}/:id`,
      summary: 'One key, without its text.',
      access: read,
      success: { status: 200, description: 'The key.', schema: PersonalKeyView },
      example: { ...one, answer: EXAMPLE_KEY },
      answer: async (call) => ({ body: view(await visible(call)) }),
    },
    {
      ...common,
      method: 'PUT',
      path: `${path}/:id`,
      summary: 'Replaces label, scopes, datasets and expiry; one that is left out is removed.',
      access: write,
      body: KeyBody,
      success: { status: 200, description: 'The key as it is now.', schema: PersonalKeyView },
      example: { ...one, body: EXAMPLE_BODY, answer: EXAMPLE_KEY },
      answer: async (call) => {
        const row = await ownable(call)
        return replace(call, row, keyFields(readBody(KeyBody, call.body), exists))
      },
    },
    {
      ...common,
      method: 'PATCH',
      path: `${path}/:id`,
      summary: 'Changes what is named of label, scopes, datasets and expiry.',
      access: write,
      body: KeyChange,
      success: { status: 200, description: 'The key as it is now.', schema: PersonalKeyView },
      example: { ...one, body: { label: EXAMPLE_KEY.label }, answer: EXAMPLE_KEY },
      answer: async (call) => {
        const row = await ownable(call)
        const { label, expires_at } = view(row)
        const { scopes, datasets } = rightsOf(row)
        const asItIs = { label, scopes: [...scopes], datasets: [...datasets], expires_at }
        const whole = { ...asItIs, ...readBody(KeyChange, call.body) }
        // One of its datasets may be gone; that must not keep it from being renamed.
        return replace(
          call,
          row,
          keyFields(whole, (dataset) => exists(dataset) || datasets.includes(dataset)),
        )
      },
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
        const before = await ownable(call)
        const { text, stored } = newText()
        const row = await changed(before.id, {
          ...stored,
          previous_sha256: overlapMs > 0 ? before.sha256 : null,
          previous_until: overlapMs > 0 ? clock.now() + overlapMs : null,
          rolled_at: clock.now(),
        })
        return { body: { ...view(row), value: text } }
      },
    },
    {
      ...common,
      method: 'DELETE',
      path: `${path}/:id`,
      summary: 'Revokes a key and removes it for good.',
      access: write,
      success: { status: 204, description: 'It is gone, and refused within ten seconds everywhere.' },
      example: one,
      answer: async (call) => {
        const row = await ownable(call)
        const removed = await store.remove(row.id)
        lookup.forget()
        if (!removed) throw notFound()
        return { status: 204 }
      },
    },
  ]
}

function sees(principal: Principal, row: PersonalApiKeyRow): boolean {
  return rightsOf(row).datasets.every((dataset) => reaches(principal.rights.datasets, dataset))
}

function columnsOf({ label, rights, expiresAt }: KeyFields) {
  return {
    label,
    scopes: JSON.stringify(rights.scopes),
    datasets: JSON.stringify(rights.datasets),
    expires_at: expiresAt,
  }
}

const EXAMPLE_TEXT = 'mr_p_…'
const EXAMPLE_BODY = { label: 'dashboards', scopes: ['insight:read', 'annotation:write'], datasets: ['shop'] }
const EXAMPLE_KEY = {
  id: '5f0c1a9be2d34c7788aa0b1c',
  label: 'dashboards',
  mask_value: 'mr_p_…kQ3x',
  scopes: ['insight:read', 'annotation:write'],
  datasets: ['shop'],
  created_at: '2026-11-28T09:00:00.000Z',
  created_by: 'administrator',
  last_rolled_at: null,
  previous_value_until: null,
  expires_at: null,
  last_used_at: null,
}
