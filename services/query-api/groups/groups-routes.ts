import { Type } from '@sinclair/typebox'
import type { Clock } from '../../core/runtime/clock.ts'
import { notFound } from '../http/api-error.ts'
import { nextAddress } from '../http/next-address.ts'
import { refuseUnknown, requiredText, textParameter } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetRoute } from '../http/route.ts'
import { readValuesRequest, VALUES_PARAMETERS, valuesSql } from '../persons/person-values.ts'
import type { Ask } from '../query/ask.ts'
import {
  type GroupRecord,
  groupByKeySql,
  groupPropertiesSql,
  groupTypesSql,
  newestGroupRows,
} from './group-query.ts'
import {
  FIND_PARAMETERS,
  GROUPS_PARAMETERS,
  INDEX_PARAMETER,
  RELATED_PARAMETERS,
  readGroupsRequest,
  readIndex,
} from './groups-request.ts'
import { groupView, listGroups } from './list-groups.ts'
import { relatedTo } from './related.ts'

/** Names of properties of one type of groups. */
const PROPERTIES_MAX = 1_000

const GROUP_SCHEMA = Type.Object({
  group_type_index: Type.Integer(),
  group_key: Type.String(),
  group_properties: Type.Record(Type.String(), Type.Unknown(), { description: 'As of now.' }),
  created_at: Type.String(),
})
const COUNTED = Type.Object({ name: Type.String(), count: Type.Integer() })

/** Companies, teams and other kinds of groups that people act for, as of now. */
export function groupRoutes(needs: {
  readonly ask: Ask
  readonly clock: Pick<Clock, 'now'>
}): DatasetRoute[] {
  const { ask, clock } = needs
  const common = {
    about: 'dataset',
    method: 'GET',
    tag: 'groups',
    access: { object: 'group', action: 'read' },
    limit: 'clickhouse',
  } as const
  const path = `${DATASET_PATH}/groups`
  const params = { dataset: 'shop' }
  return [
    {
      ...common,
      path: `${DATASET_PATH}/groups_types`,
      summary: 'Kinds of groups, five at most.',
      success: {
        status: 200,
        description: 'In the order of their indexes.',
        schema: Type.Array(Type.Object({ group_type: Type.String(), group_type_index: Type.Integer() })),
      },
      example: { params, answer: [{ group_type: 'company', group_type_index: 0 }] },
      answer: async ({ question }) => ({
        body: await ask(question, (bindings) => groupTypesSql(question.dataset.id, bindings)),
      }),
    },
    {
      ...common,
      path,
      summary: 'Groups of one kind, the newest first, page by page.',
      parameters: GROUPS_PARAMETERS,
      success: {
        status: 200,
        description: 'A page, as long as `limit` says whenever `next` is set.',
        schema: Type.Object({
          next: Type.Union([Type.String(), Type.Null()]),
          previous: Type.Null(),
          results: Type.Array(GROUP_SCHEMA),
        }),
      },
      example: {
        params,
        query: { group_type_index: '0', search: 'acme' },
        answer: { next: null, previous: null, results: [EXAMPLE_GROUP] },
      },
      async answer({ question, query, url }) {
        const asked = readGroupsRequest(query)
        const { groups, next } = await listGroups(ask, question, asked, { ...asked, offset: 0 })
        return {
          body: { next: next === null ? null : nextAddress(url, next), previous: null, results: groups },
        }
      },
    },
    {
      ...common,
      path: `${path}/find`,
      summary: 'One group by its kind and key.',
      parameters: FIND_PARAMETERS,
      success: { status: 200, description: 'As of now.', schema: GROUP_SCHEMA },
      example: { params, query: { group_type_index: '0', group_key: 'acme' }, answer: EXAMPLE_GROUP },
      async answer({ question, query }) {
        refuseUnknown(query, Object.keys(FIND_PARAMETERS))
        const [index, key] = [readIndex(query), requiredText(query, 'group_key')]
        const [record] = await ask<GroupRecord>(question, (bindings) =>
          groupByKeySql(question.dataset.id, index, key, bindings),
        )
        if (record === undefined) throw notFound('There is no such group.')
        return { body: groupView(record, index) }
      },
    },
    {
      ...common,
      path: `${path}/related`,
      summary: 'Persons and groups that events of the last 90 days name together with a group or a person.',
      parameters: RELATED_PARAMETERS,
      success: {
        status: 200,
        description:
          'Persons, then groups of each other kind: the first hundred of each in alphabetical order.',
        schema: Type.Array(Type.Object({ type: Type.String(), id: Type.String() })),
      },
      example: {
        params,
        query: { group_type_index: '0', id: 'acme' },
        answer: [
          {
            type: 'group',
            id: 'sales',
            group_key: 'sales',
            group_type_index: 1,
            properties: {},
            created_at: null,
          },
        ],
      },
      async answer({ question, query }) {
        refuseUnknown(query, Object.keys(RELATED_PARAMETERS))
        const id = requiredText(query, 'id')
        const index = textParameter(query, 'group_type_index') === null ? null : readIndex(query)
        return { body: await relatedTo(ask, question, { id, index }, clock.now()) }
      },
    },
    {
      ...common,
      path: `${path}/property_values`,
      summary: 'Values of a property of groups of one kind, as of now.',
      parameters: { ...INDEX_PARAMETER, ...VALUES_PARAMETERS },
      success: {
        status: 200,
        description:
          'The values that most groups have, `limit` of them; `value` finds those that are left out.',
        schema: Type.Array(COUNTED),
      },
      example: {
        params,
        query: { group_type_index: '0', key: 'industry' },
        answer: [{ name: 'retail', count: 12 }],
      },
      async answer({ question, query }) {
        const asked = readValuesRequest(query, Object.keys(INDEX_PARAMETER))
        const index = readIndex(query)
        const rows = await ask<{ name: string; count: number | string }>(question, (bindings) =>
          valuesSql(newestGroupRows(question.dataset.id, index, bindings), asked, bindings),
        )
        return { body: rows.map(({ name, count }) => ({ name, count: Number(count) })) }
      },
    },
    {
      ...common,
      path: `${path}/property_definitions`,
      summary: 'Names of the properties that groups have, by the index of their kind.',
      success: {
        status: 200,
        description: 'The names that most groups have first.',
        schema: Type.Record(Type.String(), Type.Array(COUNTED)),
      },
      example: { params, answer: { 0: [{ name: 'industry', count: 12 }] } },
      async answer({ question }) {
        const rows = await ask<{ group_type_index: number; name: string; count: number | string }>(
          question,
          (bindings) => groupPropertiesSql(question.dataset.id, PROPERTIES_MAX, bindings),
        )
        const byIndex = Map.groupBy(rows, ({ group_type_index }) => group_type_index)
        return {
          body: Object.fromEntries(
            [...byIndex].map(([index, own]) => [
              index,
              own.map(({ name, count }) => ({ name, count: Number(count) })),
            ]),
          ),
        }
      },
    },
  ]
}

const EXAMPLE_GROUP = {
  group_type_index: 0,
  group_key: 'acme',
  group_properties: { name: 'Acme', industry: 'retail' },
  created_at: '2026-11-03T09:12:44.120Z',
}
