import type { Static } from '@sinclair/typebox'
import { accessKeyHash, generateAccessKey } from '../../core/control/access-key.ts'
import type { ControlView } from '../../core/control/control-view.ts'
import type { PersonalApiKeyRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { invalidInput, notFound } from '../http/api-error.ts'
import type { Principal } from '../http/principal.ts'
import { reaches } from '../http/scopes.ts'
import { checkGrants, type KeyBody, type KeyChange, type KeyFields, keyFields } from './key-body.ts'
import type { KeyLookup } from './key-lookup.ts'
import type { KeyStore } from './key-store.ts'
import { type PersonalKeyView, personalKeyView, rightsOf, tailOf } from './personal-key.ts'

const ID_BYTES = 12
/** Keys of an installation at most: lists of them are read whole. */
export const KEYS_MAX = 1_000

export interface KeyNeeds {
  readonly store: KeyStore
  readonly lookup: Pick<KeyLookup, 'forget'>
  readonly control: Pick<ControlView, 'snapshot'>
  readonly clock: Pick<Clock, 'now'>
  readonly randomBytes: (size: number) => Uint8Array
}

/** A key together with its text, which nobody is shown again. */
export type NewKey = PersonalKeyView & { readonly value: string }

/**
 * What one key may do with others. It sees those that reach none but its own datasets, any other is 404; it changes,
 * rolls and removes those that have no rights but its own, any other is 403. A roll hands out the new text, so it must
 * not be a way to rights that the caller lacks.
 */
export interface KeyManagement {
  visible(principal: Principal): Promise<PersonalKeyView[]>
  one(principal: Principal, id: string): Promise<PersonalKeyView>
  make(principal: Principal, body: Static<typeof KeyBody>): Promise<NewKey>
  replace(principal: Principal, id: string, body: Static<typeof KeyBody>): Promise<PersonalKeyView>
  change(principal: Principal, id: string, body: Static<typeof KeyChange>): Promise<PersonalKeyView>
  /** @param overlapMs how long the old text goes on working */
  roll(principal: Principal, id: string, overlapMs: number): Promise<NewKey>
  remove(principal: Principal, id: string): Promise<void>
}

export function createKeyManagement(needs: KeyNeeds): KeyManagement {
  const { store, lookup, control, clock, randomBytes } = needs
  const exists = (dataset: string) => control.snapshot.datasets.has(dataset)
  const view = (row: PersonalApiKeyRow) => personalKeyView(row, clock.now())

  function newText() {
    const text = generateAccessKey('personal', randomBytes)
    return { text, stored: { sha256: accessKeyHash(text), tail: tailOf(text) } }
  }

  async function seen(principal: Principal, id: string): Promise<PersonalApiKeyRow> {
    const row = await store.get(id)
    if (row === null || !sees(principal, row)) throw notFound()
    return row
  }

  async function held(principal: Principal, id: string): Promise<PersonalApiKeyRow> {
    const row = await seen(principal, id)
    checkGrants(principal, rightsOf(row))
    return row
  }

  async function write(id: string, change: Partial<PersonalApiKeyRow>): Promise<PersonalKeyView> {
    const row = await store.update(id, change)
    lookup.forget()
    if (row === null) throw notFound()
    return view(row)
  }

  async function rewrite(principal: Principal, id: string, fields: KeyFields): Promise<PersonalKeyView> {
    checkGrants(principal, fields.rights)
    return write(id, columnsOf(fields))
  }

  return {
    visible: async (principal) => (await store.list()).filter((row) => sees(principal, row)).map(view),
    one: async (principal, id) => view(await seen(principal, id)),
    async make(principal, body) {
      const fields = keyFields(body, exists)
      checkGrants(principal, fields.rights)
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
        created_by: principal.name,
        rolled_at: null,
        last_used_at: null,
      }
      await store.insert(row)
      return { ...view(row), value: text }
    },
    async replace(principal, id, body) {
      await held(principal, id)
      return rewrite(principal, id, keyFields(body, exists))
    },
    async change(principal, id, body) {
      const row = await held(principal, id)
      const { label, expires_at } = view(row)
      const { scopes, datasets } = rightsOf(row)
      const whole = { label, scopes: [...scopes], datasets: [...datasets], expires_at, ...body }
      // One of its datasets may be gone; that must not keep it from being renamed.
      const isKnown = (dataset: string) => exists(dataset) || datasets.includes(dataset)
      return rewrite(principal, id, keyFields(whole, isKnown))
    },
    async roll(principal, id, overlapMs) {
      const before = await held(principal, id)
      const { text, stored } = newText()
      const rolled = await write(id, {
        ...stored,
        previous_sha256: overlapMs > 0 ? before.sha256 : null,
        previous_until: overlapMs > 0 ? clock.now() + overlapMs : null,
        rolled_at: clock.now(),
      })
      return { ...rolled, value: text }
    },
    async remove(principal, id) {
      await held(principal, id)
      const removed = await store.remove(id)
      lookup.forget()
      if (!removed) throw notFound()
    },
  }
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
