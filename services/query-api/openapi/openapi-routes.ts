import { PAGE_HEADERS } from '../http/html.ts'
import type { PublicRoute, Route } from '../http/route.ts'
import { openApiDocument } from './openapi-document.ts'
import { referencePage } from './reference-page.ts'

/**
 * What the routes say of themselves, these two among them.
 *
 * @param others all other routes
 */
export function openApiRoutes(others: readonly Route[]): PublicRoute[] {
  const common = { about: 'everybody', method: 'GET', tag: 'reference', limit: 'default' } as const
  const own: PublicRoute[] = [
    {
      ...common,
      path: '/api/openapi.json',
      summary: 'This API as an OpenAPI 3.1 document.',
      success: { status: 200, description: 'The document.' },
      example: { answer: { openapi: '3.1.0', info: { title: 'Millrace analytics API' }, paths: {} } },
      answer: async () => ({ body: document }),
    },
    {
      ...common,
      path: '/api/docs',
      summary: 'This API as a page to browse.',
      success: { status: 200, description: 'The page.', mediaType: 'text/html' },
      example: { answer: '<!doctype html>…' },
      answer: async () => ({ headers: PAGE_HEADERS, body: page }),
    },
  ]
  const all = [...others, ...own]
  const document = openApiDocument(all)
  const page = referencePage(all)
  return own
}
