import type { Metadata } from '../../core/metadata/metadata.ts'
import { activityRoutes } from '../activity/activity-routes.ts'
import type { DatasetCall, DatasetRoute } from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { existingObject, numberOf, objectRoutes } from '../objects/object-routes.ts'
import { newShortId } from '../objects/short-id.ts'
import { playlistFamily } from './playlist-family.ts'
import { playlistRecordingRoutes } from './playlist-recordings-routes.ts'
import { createPlaylistStore } from './playlist-store.ts'

export function playlistRoutes(
  needs: InsightNeeds & {
    readonly metadata: Metadata
    readonly randomBytes: (size: number) => Uint8Array
  },
): DatasetRoute[] {
  const { metadata, clock, randomBytes } = needs
  const storeOf = ({ principal }: DatasetCall) =>
    createPlaylistStore(metadata, {
      by: principal.name,
      atMs: clock.now(),
      newShortId: () => newShortId(randomBytes),
    })
  return [
    ...objectRoutes(playlistFamily, storeOf, clock),
    ...playlistRecordingRoutes({ ...needs, existing: (call) => existingObject(storeOf(call), call) }),
    ...activityRoutes(metadata, playlistFamily.object, playlistFamily.tag, (call) =>
      numberOf(storeOf(call), call),
    ),
  ]
}
