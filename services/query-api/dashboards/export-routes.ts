import { FILE_PARAMETERS, readFileChoice } from '../http/file-parameters.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { REFRESH_PARAMETERS, readRefresh } from '../results/refresh.ts'
import type { Results } from '../results/results.ts'
import { OVERRIDE_PARAMETER, overrideParameter } from '../saved-insights/override-parameter.ts'
import type { SavedInsight } from '../saved-insights/saved-insight-store.ts'
import { dashboardFile, FILE_HEADER } from './dashboard-file.ts'
import type { Dashboard, Tile } from './dashboard-store.ts'
import { Template } from './dashboard-template.ts'

const CSV_PARAMETERS = {
  refresh: REFRESH_PARAMETERS.refresh,
  csv_mode: FILE_PARAMETERS.csv_mode,
  ...OVERRIDE_PARAMETER,
}

/** A dashboard as a document that makes it again, and its numbers as a table. */
export function exportRoutes(needs: {
  readonly existing: (call: DatasetCall) => Promise<Dashboard>
  readonly results: Results
}): DatasetRoute[] {
  const { existing, results } = needs
  const common = {
    about: 'dataset',
    method: 'GET',
    tag: 'dashboards',
    access: { object: 'dashboard', action: 'read' },
  } as const
  const params = { dataset: 'shop', id: '1' }
  return [
    {
      ...common,
      path: `${DATASET_PATH}/dashboards/:id/export.json`,
      summary: 'A dashboard as a template: what create_from_template_json takes, in any dataset.',
      limit: 'default',
      success: { status: 200, description: 'The template, as a file.', schema: Template },
      example: {
        params,
        answer: {
          template_name: 'Sales',
          dashboard_description: '',
          dashboard_filters: { date_from: '-30d' },
          tags: [],
          tiles: [],
        },
      },
      async answer(call) {
        const row = await existing(call)
        return {
          headers: { 'content-disposition': `attachment; filename="dashboard-${row.id}.json"` },
          body: templateOf(row),
        }
      },
    },
    {
      ...common,
      path: `${DATASET_PATH}/dashboards/:id/export.csv`,
      summary: 'The numbers of all tiles, as a CSV file.',
      limit: 'clickhouse',
      parameters: CSV_PARAMETERS,
      success: { status: 200, description: 'A line per number.', mediaType: 'text/csv' },
      example: {
        params,
        answer: `${FILE_HEADER.join(',')}\r\n1,Buyers,purchase,2026-11-22,118\r\n`,
      },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(CSV_PARAMETERS))
        const { csvMode } = readFileChoice(call.query, 'csv')
        const refresh = readRefresh(call.query)
        const override = overrideParameter(call.query)
        const row = await existing(call)
        const filters = override ?? JSON.parse(row.filters)
        return dashboardFile(results, call.question, row, filters, refresh, csvMode)
      },
    },
  ]
}

function templateOf(row: Dashboard): Template {
  return {
    template_name: row.name === '' ? `Dashboard ${row.id}` : row.name,
    dashboard_description: row.description,
    dashboard_filters: JSON.parse(row.filters),
    tags: JSON.parse(row.tags),
    tiles: (row.tiles ?? []).map(templateTile),
  }
}

function templateTile({ insight, body, layouts, color }: Tile): Template['tiles'][number] {
  const placed = { layouts: JSON.parse(layouts), color }
  if (insight === null) return { type: 'TEXT', body: body ?? '', ...placed }
  return { type: 'INSIGHT', ...described(insight), ...placed }
}

function described({ name, description, filters, query }: SavedInsight) {
  const asked = query === null ? { filters: JSON.parse(filters) } : { query: JSON.parse(query) }
  return { name, description, ...asked }
}
