import { Type } from '@sinclair/typebox'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { ShareRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { checkScope } from '../http/authorize.ts'
import type { LimitClass } from '../http/rate-limits.ts'
import { readBody } from '../http/read-body.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { createShareStore, type Shareable, type ShareKind } from './share-store.ts'

const TextOrNull = Type.Union([Type.String(), Type.Null()])
const Sharing = Type.Object({
  enabled: Type.Boolean(),
  access_token: Type.Union([Type.String(), Type.Null()], {
    description: 'In the answer that made the link, and in no other: only its hash is kept.',
  }),
  share_url: Type.Union([Type.String(), Type.Null()], {
    description: 'A page to read. With .json at its end, the same as JSON.',
  }),
  mask_value: Type.Union([Type.String(), Type.Null()], { description: 'The end of the token.' }),
  created_at: TextOrNull,
  created_by: TextOrNull,
})
const Change = Type.Object({ enabled: Type.Boolean() }, { additionalProperties: false })

const EXAMPLE = {
  enabled: true,
  access_token: null,
  share_url: null,
  mask_value: '…kQ3x',
  created_at: '2026-11-28T09:00:00.000Z',
  created_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
}

function sharingView(share: ShareRow | null, token: string | null, origin: string) {
  return {
    enabled: share !== null,
    access_token: token,
    share_url: token === null ? null : `${origin}/shared/${token}`,
    mask_value: share === null ? null : `…${share.tail}`,
    created_at: share === null ? null : new Date(share.created_at).toISOString(),
    created_by: share?.created_by ?? null,
  }
}

/** What sharing needs of the world. */
export interface SharingNeeds {
  readonly metadata: Metadata
  readonly clock: Pick<Clock, 'now'>
  /** A cryptographic source. */
  readonly randomBytes: (size: number) => Uint8Array
}

/**
 * Whether something has a link by which anybody may read it. Who shares it lets others read it, so he must be able to
 * read it himself.
 *
 * @param family what is shared: many of them as the path names them, and the one that a call is about (404 for none)
 */
export function sharingRoutes<Id extends number | string>(
  { metadata, clock, randomBytes }: SharingNeeds,
  family: {
    readonly kind: ShareKind<Id>
    readonly tag: string
    readonly limit: LimitClass
    readonly example: string
    existing(call: DatasetCall): Promise<Shareable<Id>>
  },
): DatasetRoute[] {
  const { kind, tag, limit } = family
  const shares = createShareStore(metadata, kind, randomBytes)
  const existing = (call: DatasetCall) => {
    checkScope(call.principal, { object: kind.object, action: 'read' })
    return family.existing(call)
  }
  const common = {
    about: 'dataset',
    tag,
    path: `${DATASET_PATH}/${tag}/:id/sharing`,
    limit,
    success: { status: 200, description: 'As it is now.', schema: Sharing },
  } as const
  const params = { dataset: 'shop', id: family.example }
  return [
    {
      ...common,
      method: 'GET',
      summary: 'Whether it is shared by a link.',
      access: { object: 'sharing_configuration', action: 'read' },
      example: { params, answer: EXAMPLE },
      async answer(call) {
        const { dataset_id: dataset, id } = await existing(call)
        return { body: sharingView(await shares.of(dataset, id), null, call.url.origin) }
      },
    },
    {
      ...common,
      method: 'PATCH',
      summary: 'Makes a link, or revokes it.',
      access: { object: 'sharing_configuration', action: 'write' },
      body: Change,
      example: {
        params,
        body: { enabled: true },
        answer: { ...EXAMPLE, access_token: '2V1c…kQ3x', share_url: '…/shared/2V1c…kQ3x' },
      },
      async answer(call) {
        const { enabled } = readBody(Change, call.body)
        const shared = await existing(call)
        const writer = { by: call.principal.name, atMs: clock.now() }
        let token: string | null = null
        if (enabled) token = await shares.open(shared, writer)
        else await shares.close(shared, writer)
        const share = await shares.of(shared.dataset_id, shared.id)
        return { body: sharingView(share, token, call.url.origin) }
      },
    },
  ]
}
