import { csvText } from '../http/csv.ts'
import { FILE_PARAMETERS, readFileChoice } from '../http/file-parameters.ts'
import { type Format, leavingOut, type RawQuery } from '../http/request-parameters.ts'
import type { Answer, DatasetCall, DatasetRoute } from '../http/route.ts'
import { REFRESH_PARAMETERS, readRefresh, UNSAVED_FRESH_MS } from '../results/refresh.ts'
import { isBegun, resultView } from '../results/result-view.ts'
import type { Results } from '../results/results.ts'
import { resultsOfFileMs } from '../results/results-of-file.ts'
import type { InsightNeeds } from './frame.ts'
import type { InsightTable } from './insight-csv.ts'
import { INSIGHT_EXAMPLES } from './insight-examples.ts'
import { insightFile } from './insight-file.ts'
import { askedInsight } from './insight-kinds.ts'
import { INSIGHTS } from './insight-questions.ts'
import { peopleLink } from './people-link.ts'
import { peopleRoutes } from './people-routes.ts'
import { questionRoutes } from './question-routes.ts'

const COMMON = {
  tag: 'insights',
  access: { object: 'insight', action: 'read' },
  limit: 'clickhouse',
} as const

/** An insight under its three addresses: asked by GET and POST, and as a file. */
interface InsightRoutes extends Pick<DatasetRoute, 'summary'> {
  /** Below `insights/`. */
  readonly path: string
  readonly parameters: NonNullable<DatasetRoute['parameters']>
  readonly description: string
  readonly example: { readonly asked: Readonly<Record<string, unknown>>; readonly answer: unknown }
  readonly table: (result: never) => InsightTable
  answer(call: DatasetCall, query: RawQuery, format?: Format): Promise<Answer>
}

/**
 * @param results where answers are kept for a minute: who reloads a page asks once, and whoever wants another one says
 *                so by `refresh`
 */
export function insightRoutes(needs: InsightNeeds, results: Results): DatasetRoute[] {
  const insights = INSIGHTS.map(
    ({ people: _, result: __, ...declared }): InsightRoutes => ({
      ...declared,
      parameters: { ...declared.parameters, ...REFRESH_PARAMETERS, ...FILE_PARAMETERS },
      example: INSIGHT_EXAMPLES[declared.path],
      async answer({ question, url }, query, format) {
        const file = readFileChoice(query, format)
        const refresh = readRefresh(query)
        const { insight, query: asked } = askedInsight(declared.path, leavingOut(query, BESIDE))
        const answered = await results.answer({
          question,
          asked: ['insight', insight.people, Object.entries(asked).toSorted(), url.origin],
          freshMs: UNSAVED_FRESH_MS,
          refresh,
          compute: (own, question) =>
            insight.result(own, question, asked, peopleLink(url, insight.people, asked)),
        })
        if (file.format === 'csv') {
          const refreshedMs = resultsOfFileMs([answered])
          const name = `${question.dataset.id}-${declared.path.replace('/', '-')}`
          return insightFile(name, insight.table(answered.result), file.csvMode, refreshedMs)
        }
        return {
          status: isBegun(answered) ? 202 : 200,
          body: { ...resultView(answered), timezone: question.zone, next: null },
        }
      },
    }),
  )

  return [...insights.flatMap(routesOf), ...peopleRoutes(needs)]
}

/** What the answer does not depend on, or is part of its key anyway. */
const BESIDE = ['personal_api_key', ...Object.keys(REFRESH_PARAMETERS), ...Object.keys(FILE_PARAMETERS)]

function routesOf({ path, table, answer, summary, ...declared }: InsightRoutes): DatasetRoute[] {
  const { asked, answer: answered } = declared.example
  const shown = table((answered as { readonly result: never }).result)
  return [
    ...questionRoutes({ ...COMMON, ...declared, summary, path: `/insights/${path}`, answer }),
    ...questionRoutes({
      ...COMMON,
      ...declared,
      summary: `${summary.slice(0, -1)}, as a CSV file.`,
      path: `/insights/${path}.csv`,
      mediaType: 'text/csv',
      example: { asked, answer: csvText(shown.header, shown.rows, 'spreadsheet') },
      answer: (call, query) => answer(call, query, 'csv'),
    }),
  ]
}
