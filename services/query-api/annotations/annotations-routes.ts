import type { Metadata } from '../../core/metadata/metadata.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import type { DatasetRoute } from '../http/route.ts'
import { objectRoutes } from '../objects/object-routes.ts'
import { annotationFamily } from './annotation-family.ts'
import { createAnnotationStore } from './annotation-store.ts'

export function annotationRoutes(metadata: Metadata, clock: Pick<Clock, 'now'>): DatasetRoute[] {
  return objectRoutes(annotationFamily, createAnnotationStore(metadata), clock)
}
