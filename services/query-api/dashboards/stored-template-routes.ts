import type { Metadata } from '../../core/metadata/metadata.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { ApiError } from '../http/api-error.ts'
import { listAnswer, pageParameters, readPage } from '../http/list-page.ts'
import { refuseUnknown, textParameter } from '../http/request-parameters.ts'
import { type DatasetCall, type DatasetRoute, pathParameter } from '../http/route.ts'
import { objectRoutes } from '../objects/object-routes.ts'
import { checkTilesRight } from '../saved-insights/saved-question.ts'
import { builtInTemplates } from './built-in-templates.ts'
import { templateFamily } from './template-family.ts'
import { createTemplateStore } from './template-store.ts'

/**
 * Templates as a family: the dataset's own, after them in lists those that come with the product. The latter are read
 * by their names, and stay as they are.
 */
export function storedTemplateRoutes(
  metadata: Pick<Metadata, 'db' | 'transaction'>,
  clock: Pick<Clock, 'now'>,
): DatasetRoute[] {
  const store = createTemplateStore(metadata)
  const parameters = { ...templateFamily.filters, ...pageParameters(templateFamily.pages) }

  async function list(call: DatasetCall) {
    refuseUnknown(call.query, Object.keys(parameters))
    const page = readPage(call.query, templateFamily.pages)
    const search = textParameter(call.query, 'search')
    const { rows, count } = await store.list(call.question.dataset.id, { search }, page)
    const further = builtIn().filter(({ template_name: name }) =>
      name.toLowerCase().includes((search ?? '').toLowerCase()),
    )
    const from = Math.max(0, page.offset - count)
    const results = [
      ...rows.map(templateFamily.present),
      ...further.slice(from, from + page.limit - rows.length),
    ]
    return listAnswer(results, count + further.length, page, call.url)
  }

  return objectRoutes(templateFamily, store, clock).map((route): DatasetRoute => {
    if (!route.path.endsWith('/:id'))
      return route.method === 'GET'
        ? {
            ...route,
            summary: 'Lists templates: own ones, then those that come with the product.',
            answer: list,
          }
        : {
            ...route,
            summary: 'Keeps a template, for use_template of new dashboards.',
            async answer(call) {
              checkTilesRight(call.principal, call.body)
              return route.answer(call)
            },
          }
    return {
      ...route,
      async answer(call) {
        const found = builtIn().find(({ id }) => id === pathParameter(call, 'id'))
        if (found === undefined) {
          checkTilesRight(call.principal, call.body)
          return route.answer(call)
        }
        if (route.method === 'GET') return { body: found }
        throw readOnly()
      },
    }
  })
}

function builtIn() {
  return [...builtInTemplates()].map(([id, template]) => ({ id, is_built_in: true, ...template }))
}

function readOnly(): ApiError {
  return new ApiError(403, {
    type: 'invalid_request',
    code: 'permission_denied',
    detail:
      'This template comes with the product and stays as it is. Make one of your own: POST dashboard_templates.',
    attr: null,
  })
}
