import { type Static, Type } from '@sinclair/typebox'
import type { ControlView } from '../../core/control/control-view.ts'
import { notFound } from '../http/api-error.ts'
import { datasetsOf } from '../http/authorize.ts'
import { listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import type { Principal } from '../http/principal.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { type InstallationRoute, pathParameter } from '../http/route.ts'

const Organization = Type.Object({
  id: Type.String(),
  name: Type.String(),
  status: Type.Literal('ACTIVE', { description: 'Installations are not locked.' }),
  is_managed: Type.Literal(false),
  parent: Type.Null(),
})

/** The installation itself: there is one, and nothing above it. */
const ORGANIZATION: Static<typeof Organization> = {
  id: 'millrace',
  name: 'millrace',
  status: 'ACTIVE',
  is_managed: false,
  parent: null,
}

const Project = Type.Object({
  id: Type.String({ description: 'Of the account in the configuration.' }),
  organization: Type.String(),
  name: Type.String({ description: 'The same as its id: accounts have no other name.' }),
})

function projectView(account: string): Static<typeof Project> {
  return { id: account, organization: ORGANIZATION.id, name: account }
}

/** What datasets lie in: the accounts of the configuration as projects, and the installation as their organization. */
export function projectRoutes(control: Pick<ControlView, 'snapshot'>): InstallationRoute[] {
  /** Accounts of the datasets that somebody has rights to, by their ids. */
  function accountsOf(principal: Principal): string[] {
    return [...new Set(datasetsOf(principal, control).map(({ account }) => account))].sort()
  }

  const common = { about: 'installation', method: 'GET', limit: 'default' } as const
  const projects = { ...common, tag: 'projects', access: { object: 'project', action: 'read' } } as const
  const parameters = pageParameters()
  return [
    {
      ...projects,
      path: '/api/projects',
      summary: 'Lists the projects of the datasets that this key opens.',
      parameters,
      success: { status: 200, description: 'Projects, by their ids.', schema: listOf(Project) },
      example: { answer: { count: 1, next: null, previous: null, results: [projectView('acme')] } },
      answer: async ({ principal, query, url }) => {
        refuseUnknown(query, Object.keys(parameters))
        const page = readPage(query)
        const all = accountsOf(principal)
        const shown = all.slice(page.offset, page.offset + page.limit).map(projectView)
        return listAnswer(shown, all.length, page, url)
      },
    },
    {
      ...projects,
      path: '/api/projects/:project',
      summary: 'One project.',
      success: { status: 200, description: 'The project.', schema: Project },
      example: { params: { project: 'acme' }, answer: projectView('acme') },
      answer: async (call) => {
        const account = pathParameter(call, 'project')
        if (!accountsOf(call.principal).includes(account)) throw notFound()
        return { body: projectView(account) }
      },
    },
    {
      ...common,
      tag: 'organization',
      path: '/api/organization',
      summary: 'The organization that every project belongs to: this installation.',
      access: { object: 'organization', action: 'read' },
      success: { status: 200, description: 'The organization.', schema: Organization },
      example: { answer: ORGANIZATION },
      answer: async () => ({ body: ORGANIZATION }),
    },
  ]
}
