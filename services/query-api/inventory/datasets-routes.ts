import { type Static, Type } from '@sinclair/typebox'
import type { ControlView } from '../../core/control/control-view.ts'
import { uuidOfName } from '../../core/event/uuid-of-name.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { datasetsOf } from '../http/authorize.ts'
import { listAnswer, listOf, type PageSizes, pageParameters, readPage } from '../http/list-page.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetRoute, type InstallationRoute } from '../http/route.ts'
import type { Ask } from '../query/ask.ts'
import { type Question, zoneOf } from '../query/question.ts'
import { createHasIngested } from './ingested-datasets.ts'

/** One page may take a statement for each of its datasets. */
const DATASET_PAGES: PageSizes = { default: 100, max: 100 }

/** Where the ids of datasets are names in, as RFC 9562 means it: a UUID of our own, never to be changed. */
const NAMESPACE = Buffer.from('9b0f6f0c52a44d0f8e6a1c7d3b25f8e4', 'hex')

const DatasetView = Type.Object({
  id: Type.String({ description: 'As it stands in addresses.' }),
  uuid: Type.String({ description: 'Follows from the id, and never changes.' }),
  project: Type.String({ description: 'Id of its project.' }),
  api_token: Type.Null({ description: 'Write keys are kept as hashes, so nobody can be told one.' }),
  name: Type.String({ description: 'Its id where nobody has named it.' }),
  timezone: Type.String({ description: 'Zone that questions about it are answered in.' }),
  ingested_event: Type.Boolean({ description: 'Whether it has ever had an event, up to 5 seconds ago.' }),
  is_demo: Type.Literal(false),
  access_control: Type.Literal(true, {
    description: 'A key opens the datasets that it names, and no other.',
  }),
})
type DatasetView = Static<typeof DatasetView>

const EXAMPLE: DatasetView = {
  id: 'shop',
  uuid: '1c714fd8-8e48-5276-8c4a-858dc4214860',
  project: 'acme',
  api_token: null,
  name: 'Web shop',
  timezone: 'Europe/Berlin',
  ingested_event: true,
  is_demo: false,
  access_control: true,
}

/** Which datasets there are for whoever asks. They are made in the configuration, and only shown here. */
export function datasetRoutes(needs: {
  readonly ask: Ask
  readonly clock: Pick<Clock, 'now'>
  readonly control: Pick<ControlView, 'snapshot'>
}): [InstallationRoute, DatasetRoute] {
  const hasIngested = createHasIngested(needs)

  async function viewOf(question: Question): Promise<DatasetView> {
    const { dataset, zone } = question
    return {
      id: dataset.id,
      uuid: uuidOfName(NAMESPACE, dataset.id),
      project: dataset.account,
      api_token: null,
      name: dataset.name ?? dataset.id,
      timezone: zone,
      ingested_event: await hasIngested(question),
      is_demo: false,
      access_control: true,
    }
  }

  const common = {
    method: 'GET',
    tag: 'datasets',
    access: { object: 'project', action: 'read' },
    limit: 'default',
  } as const
  const parameters = pageParameters(DATASET_PAGES)
  return [
    {
      ...common,
      about: 'installation',
      path: '/api/datasets',
      summary: 'Lists the datasets that this key opens.',
      parameters,
      success: { status: 200, description: 'Datasets, by their ids.', schema: listOf(DatasetView) },
      example: { answer: { count: 1, next: null, previous: null, results: [EXAMPLE] } },
      async answer({ principal, query, url, gone }) {
        refuseUnknown(query, Object.keys(parameters))
        const page = readPage(query, DATASET_PAGES)
        const all = datasetsOf(principal, needs.control)
        const views: DatasetView[] = []
        for (const dataset of all.slice(page.offset, page.offset + page.limit))
          views.push(await viewOf({ dataset, zone: zoneOf(dataset), signal: gone }))
        return listAnswer(views, all.length, page, url)
      },
    },
    {
      ...common,
      about: 'dataset',
      path: DATASET_PATH,
      summary: 'One dataset.',
      success: { status: 200, description: 'As it is configured now.', schema: DatasetView },
      example: { params: { dataset: EXAMPLE.id }, answer: EXAMPLE },
      answer: async ({ question }) => ({ body: await viewOf(question) }),
    },
  ]
}
