import type { Metadata } from '../../core/metadata/metadata.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import type { DatasetRoute } from '../http/route.ts'
import { objectRoutes } from '../objects/object-routes.ts'
import { actionFamily } from './action-family.ts'
import { createActionStore } from './action-store.ts'

export function actionRoutes(metadata: Metadata, clock: Pick<Clock, 'now'>): DatasetRoute[] {
  return objectRoutes(actionFamily, createActionStore(metadata), clock)
}
