import { csvText } from '../http/csv.ts'
import { FILE_PARAMETERS, readFileChoice } from '../http/file-parameters.ts'
import type { Format, RawQuery } from '../http/request-parameters.ts'
import type { Answer, DatasetCall, DatasetRoute } from '../http/route.ts'
import type { Question } from '../query/question.ts'
import type { InsightNeeds } from './frame.ts'
import type { InsightTable } from './insight-csv.ts'
import { INSIGHT_EXAMPLES } from './insight-examples.ts'
import { insightFile } from './insight-file.ts'
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

export function insightRoutes(needs: InsightNeeds): DatasetRoute[] {
  const answerOf = (question: Question, result: unknown): Answer => ({
    body: {
      result,
      is_cached: false,
      last_refresh: new Date(needs.clock.now()).toISOString(),
      timezone: question.zone,
      next: null,
    },
  })

  const insights = INSIGHTS.map(
    ({ people, result, ...declared }): InsightRoutes => ({
      ...declared,
      parameters: { ...declared.parameters, ...FILE_PARAMETERS },
      example: INSIGHT_EXAMPLES[declared.path],
      async answer({ question, url }, query, format) {
        const { format: _, csv_mode: __, ...asked } = query
        const file = readFileChoice(query, format)
        const found = await result(needs, question, asked, peopleLink(url, people, asked))
        const name = `${question.dataset.id}-${declared.path.replace('/', '-')}`
        return file.format === 'csv'
          ? insightFile(name, declared.table(found), file.csvMode, needs.clock.now())
          : answerOf(question, found)
      },
    }),
  )

  return [...insights.flatMap(routesOf), ...peopleRoutes(needs)]
}

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
