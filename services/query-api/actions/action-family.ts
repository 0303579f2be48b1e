import { Type } from '@sinclair/typebox'
import type { ActionRow } from '../../core/metadata/metadata-tables.ts'
import { textDeclared } from '../http/parameter-declarations.ts'
import type { ObjectFamily } from '../objects/object-family.ts'
import { SHARED_VIEW, sharedView } from '../objects/object-view.ts'
import { ActionStep, completeSteps, STEP_LIMITS } from './action-step.ts'

const LENGTHS = { name: 400, description: 1_000, slackMessage: 600, tag: 255 } as const
const TAGS_MAX = 50
/** Clients of product-analytics APIs take actions unpaged: a page holds as many as a dataset may have. */
export const ACTIONS_MAX = 1_000
const PAGES = { default: ACTIONS_MAX, max: ACTIONS_MAX }

const Name = Type.String({ minLength: 1, maxLength: LENGTHS.name, description: 'Only one action has it.' })
const Description = Type.String({ maxLength: LENGTHS.description })
const Tags = Type.Array(Type.String({ minLength: 1, maxLength: LENGTHS.tag }), { maxItems: TAGS_MAX })
const SlackMessage = Type.String({ maxLength: LENGTHS.slackMessage })

const Fields = Type.Object(
  {
    name: Name,
    description: Type.Optional(Description),
    steps: Type.Optional(
      Type.Array(ActionStep, {
        maxItems: STEP_LIMITS.steps,
        description: 'An event that fits one of them is of this action; with no steps none is.',
      }),
    ),
    tags: Type.Optional(Tags),
    post_to_slack: Type.Optional(Type.Boolean()),
    slack_message_format: Type.Optional(SlackMessage),
  },
  { additionalProperties: false },
)

const View = Type.Object({
  id: Type.Integer(),
  name: Name,
  description: Description,
  steps: Type.Array(Type.Required(ActionStep)),
  tags: Tags,
  post_to_slack: Type.Boolean(),
  slack_message_format: SlackMessage,
  is_calculating: Type.Boolean({ description: 'Never: actions are evaluated when a question is asked.' }),
  last_calculated_at: Type.Null(),
  ...SHARED_VIEW,
})

const EXAMPLE = { name: 'Bought', steps: [{ event: 'purchase', url: '/checkout' }], tags: ['revenue'] }

/** Names for events that fit one of several steps. */
export const actionFamily: ObjectFamily<typeof Fields, ActionRow> = {
  object: 'action',
  tag: 'actions',
  fields: Fields,
  absent: { description: '', steps: [], tags: [], post_to_slack: false, slack_message_format: '' },
  view: View,
  pages: PAGES,
  filters: { search: textDeclared('Only those whose name holds this text.') },
  unique: 'name',
  example: {
    fields: EXAMPLE,
    view: {
      id: 1,
      name: EXAMPLE.name,
      description: '',
      steps: completeSteps(EXAMPLE.steps),
      tags: EXAMPLE.tags,
      post_to_slack: false,
      slack_message_format: '',
      is_calculating: false,
      last_calculated_at: null,
      created_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
      created_at: '2026-11-28T09:00:00.000Z',
      updated_at: '2026-11-28T09:00:00.000Z',
      deleted: false,
    },
  },
  columnsOf: ({ steps, tags, post_to_slack: post, ...others }) => ({
    ...others,
    ...(steps === undefined ? {} : { steps: JSON.stringify(completeSteps(steps)) }),
    ...(tags === undefined ? {} : { tags: JSON.stringify([...new Set(tags)]) }),
    ...(post === undefined ? {} : { post_to_slack: Number(post) }),
  }),
  present: (row) => ({
    id: row.id,
    name: row.name,
    description: row.description,
    steps: JSON.parse(row.steps),
    tags: JSON.parse(row.tags),
    post_to_slack: row.post_to_slack === 1,
    slack_message_format: row.slack_message_format,
    is_calculating: false,
    last_calculated_at: null,
    ...sharedView(row),
  }),
}
