import { type CsvMode, csvText } from '../http/csv.ts'
import { csvAnswer } from '../http/csv-answer.ts'
import { FILE_PARAMETERS, readFileChoice } from '../http/file-parameters.ts'
import type { Format, RawQuery } from '../http/request-parameters.ts'
import type { Answer, DatasetCall, DatasetRoute } from '../http/route.ts'
import type { Question } from '../query/question.ts'
import type { InsightNeeds } from './frame.ts'
import { type InsightTable, linesTable } from './insight-csv.ts'
import { INSIGHT_EXAMPLES, TREND_EXAMPLE } from './insight-examples.ts'
import { INSIGHTS } from './insight-questions.ts'
import { linkedTrend } from './linked-people.ts'
import { peopleLink } from './people-link.ts'
import { peopleRoutes } from './people-routes.ts'
import { questionRoutes } from './question-routes.ts'
import { trend } from './trend.ts'
import { readTrendRequest, TREND_PARAMETERS } from './trend-request.ts'

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

  async function trends({ question, url }: DatasetCall, query: RawQuery, format?: Format): Promise<Answer> {
    const asked = readTrendRequest(query, format)
    const lines = await trend(needs, question, asked)
    if (asked.format === 'csv') {
      const rows = lines.map(({ row }) => row)
      return fileAnswer(`${question.dataset.id}-trend.csv`, linesTable(rows), asked.csvMode)
    }
    const link = peopleLink(url, 'trends', query)
    return answerOf(question, linkedTrend(lines, asked.breakdown !== null, link))
  }

  const others = INSIGHTS.map(
    ({ people, result, ...declared }): InsightRoutes => ({
      ...declared,
      parameters: { ...declared.parameters, ...FILE_PARAMETERS },
      example: INSIGHT_EXAMPLES[declared.path],
      async answer({ question, url }, query, format) {
        const { format: _, csv_mode: __, ...asked } = query
        const file = readFileChoice(query, format)
        const found = await result(needs, question, asked, peopleLink(url, people, asked))
        const name = `${question.dataset.id}-${declared.path.replace('/', '-')}.csv`
        return file.format === 'csv'
          ? fileAnswer(name, declared.table(found), file.csvMode)
          : answerOf(question, found)
      },
    }),
  )

  const trendDeclared: InsightRoutes = {
    path: 'trend',
    summary: 'Events or people per interval.',
    parameters: TREND_PARAMETERS,
    description: 'A line per series and breakdown value.',
    example: TREND_EXAMPLE,
    table: linesTable,
    answer: trends,
  }
  return [...[trendDeclared, ...others].flatMap(routesOf), ...peopleRoutes(needs)]
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

function fileAnswer(name: string, { header, rows }: InsightTable, mode: CsvMode): Answer {
  return { ...csvAnswer(name, csvText(header, rows, mode)), written: { rows: rows.length } }
}
