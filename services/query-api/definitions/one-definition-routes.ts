import { readBody } from '../http/read-body.ts'
import { type Answer, DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { changeOf, type DefinitionNeeds, FORGOTTEN } from './definition-change.ts'
import type { Definition } from './definition-lists.ts'
import type {
  DefinitionChangeBody,
  EventDefinitionView,
  PropertyChangeBody,
  PropertyDefinitionView,
} from './definition-views.ts'

/** A name that was found, and the kind under which something is said of it. */
export interface Found {
  readonly definition: Definition
  readonly kind: string
}

/** What the definitions of events and of properties differ in. */
export interface OneDefinition<F extends Found> {
  readonly object: 'event_definition' | 'property_definition'
  readonly body: typeof DefinitionChangeBody | typeof PropertyChangeBody
  readonly view: typeof EventDefinitionView | typeof PropertyDefinitionView
  /** As the view has it. */
  readonly example: { readonly id: string }
  readonly exampleBody: Readonly<Record<string, unknown>>
  /** When one that was deleted comes back. */
  readonly comesBack: string
  /** By the `id` in the path. @throws ApiError 404 */
  readonly find: (call: DatasetCall) => Promise<F>
  readonly answer: (call: DatasetCall, found: F) => Promise<Answer>
}

/** One definition: to be read, to be said something of, and to be forgotten. */
export function oneDefinitionRoutes<F extends Found>(
  { store, clock }: DefinitionNeeds,
  one: OneDefinition<F>,
): DatasetRoute[] {
  const { object, body, find, answer } = one
  const common = {
    about: 'dataset',
    tag: `${object}s`,
    limit: 'clickhouse',
    path: `${DATASET_PATH}/${object}s/:id`,
  } as const
  const read = { object, action: 'read' } as const
  const write = { object, action: 'write' } as const
  const single = { params: { dataset: 'shop', id: one.example.id } }
  const success = { status: 200, description: 'As it is now.', schema: one.view } as const

  function say(call: DatasetCall, { definition, kind }: F, change: Parameters<typeof store.change>[3]) {
    const dataset = call.question.dataset.id
    return store.change(dataset, kind, definition.seen.name, change, clock.now(), call.principal.name)
  }

  const change = (method: 'PUT' | 'PATCH', summary: string): DatasetRoute => ({
    ...common,
    method,
    summary,
    access: write,
    body,
    success,
    example: { ...single, body: one.exampleBody, answer: one.example },
    async answer(call) {
      const asked = changeOf(readBody(body, call.body), method === 'PUT')
      const found = await find(call)
      const said = await say(call, found, asked)
      return answer(call, { ...found, definition: { ...found.definition, said } })
    },
  })

  return [
    {
      ...common,
      method: 'GET',
      summary: 'One of them.',
      access: read,
      success,
      example: { ...single, answer: one.example },
      answer: async (call) => answer(call, await find(call)),
    },
    change('PUT', 'Replaces what is said of it: what is left out is removed.'),
    change('PATCH', 'Changes what is said of it.'),
    {
      ...common,
      method: 'DELETE',
      summary: `Takes it out of the list with what is said of it, until ${one.comesBack}.`,
      access: write,
      success: { status: 204, description: 'It is gone.' },
      example: single,
      async answer(call) {
        await say(call, await find(call), { ...FORGOTTEN, deleted_at: clock.now() })
        return { status: 204 }
      },
    },
  ]
}
