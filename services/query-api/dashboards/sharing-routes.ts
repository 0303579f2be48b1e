import { Type } from '@sinclair/typebox'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { DashboardShareRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { readBody } from '../http/read-body.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import type { Dashboard } from './dashboard-store.ts'
import { createShareStore } from './share-store.ts'

const TextOrNull = Type.Union([Type.String(), Type.Null()])
const Sharing = Type.Object({
  enabled: Type.Boolean(),
  access_token: Type.Union([Type.String(), Type.Null()], {
    description: 'In the answer that made the link, and in no other: only its hash is kept.',
  }),
  share_url: TextOrNull,
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

function sharingView(share: DashboardShareRow | null, token: string | null, origin: string) {
  return {
    enabled: share !== null,
    access_token: token,
    share_url: token === null ? null : `${origin}/shared/${token}.json`,
    mask_value: share === null ? null : `…${share.tail}`,
    created_at: share === null ? null : new Date(share.created_at).toISOString(),
    created_by: share?.created_by ?? null,
  }
}

/** Whether a dashboard has a link by which anybody may read it. */
export function sharingRoutes(needs: {
  readonly metadata: Metadata
  readonly clock: Pick<Clock, 'now'>
  readonly randomBytes: (size: number) => Uint8Array
  readonly existing: (call: DatasetCall) => Promise<Dashboard>
}): DatasetRoute[] {
  const { metadata, clock, randomBytes, existing } = needs
  const shares = createShareStore(metadata, randomBytes)
  const common = {
    about: 'dataset',
    tag: 'dashboards',
    path: `${DATASET_PATH}/dashboards/:id/sharing`,
    limit: 'default',
    success: { status: 200, description: 'As it is now.', schema: Sharing },
  } as const
  const params = { dataset: 'shop', id: '1' }
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
        answer: { ...EXAMPLE, access_token: '2V1c…kQ3x', share_url: '…/shared/2V1c…kQ3x.json' },
      },
      async answer(call) {
        const { enabled } = readBody(Change, call.body)
        const dashboard = await existing(call)
        const writer = { by: call.principal.name, atMs: clock.now() }
        let token: string | null = null
        if (enabled) token = await shares.open(dashboard, writer)
        else await shares.close(dashboard, writer)
        const share = await shares.of(dashboard.dataset_id, dashboard.id)
        return { body: sharingView(share, token, call.url.origin) }
      },
    },
  ]
}
