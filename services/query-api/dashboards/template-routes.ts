import { Type } from '@sinclair/typebox'
import type { Clock } from '../../core/runtime/clock.ts'
import { checkScope } from '../http/authorize.ts'
import { readBody } from '../http/read-body.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { tooMany } from '../objects/object-routes.ts'
import type { ObjectStore, OwnColumns } from '../objects/object-store.ts'
import { checkTilesRight } from '../saved-insights/saved-question.ts'
import { DashboardView, dashboardFamily } from './dashboard-family.ts'
import type { Dashboard } from './dashboard-store.ts'
import { readTemplate, Template } from './dashboard-template.ts'
import { TEMPLATE_EXAMPLE } from './template-family.ts'

const Body = Type.Object({ template: Template }, { additionalProperties: false })
/** The same with what is in it not read yet: faults of a document are named as they stand in it. */
const Envelope = Type.Object({ template: Type.Unknown() }, { additionalProperties: false })

/** What a document looks like, and a dashboard made of one. */
export function templateRoutes(needs: {
  readonly storeOf: (call: DatasetCall) => ObjectStore<Dashboard>
  readonly clock: Pick<Clock, 'now'>
}): DatasetRoute[] {
  const { storeOf, clock } = needs
  const common = { about: 'dataset', tag: 'dashboards', limit: 'default' } as const
  const read = { object: 'dashboard', action: 'read' } as const
  const params = { dataset: 'shop' }
  const made = dashboardFamily.example.view as object
  return [
    {
      ...common,
      method: 'GET',
      path: `${DATASET_PATH}/dashboard_templates/json_schema`,
      summary: 'JSON Schema of a template.',
      access: read,
      success: { status: 200, description: 'JSON Schema.' },
      example: { params, answer: { type: 'object', required: ['template_name', 'tiles'] } },
      answer: async () => ({ body: Template }),
    },
    {
      ...common,
      method: 'POST',
      path: `${DATASET_PATH}/dashboards/create_from_template_json`,
      summary: 'Makes a dashboard, with insights of its own, from a document.',
      access: { object: 'dashboard', action: 'write' },
      body: Body,
      success: { status: 201, description: 'As it was made.', schema: DashboardView },
      example: {
        params,
        body: { template: TEMPLATE_EXAMPLE },
        answer: { ...made, creation_mode: 'template' },
      },
      async answer(call) {
        checkScope(call.principal, { object: 'insight', action: 'write' })
        const template = readTemplate(readBody(Envelope, call.body).template)
        checkTilesRight(call.principal, template)
        const columns = {
          ...dashboardFamily.columnsOf({
            ...dashboardFamily.absent,
            name: template.template_name,
            description: template.dashboard_description ?? '',
            tags: template.tags ?? [],
            filters: template.dashboard_filters ?? {},
          }),
          making: { from: 'template', template },
        } as OwnColumns<Dashboard>
        const { dataset } = call.question
        const row = await storeOf(call).create(dataset.id, columns, clock.now(), call.principal.name)
        if (row === null) throw tooMany('dashboards')
        return { status: 201, body: dashboardFamily.present(row) }
      },
    },
  ]
}
