import { ERROR_TYPES } from '../http/api-error.ts'
import { RATE_LIMITS } from '../http/rate-limits.ts'
import type { Route, RouteExample } from '../http/route.ts'
import type { UPLOAD_TYPES } from '../http/upload.ts'

/** What stands in paths, by name. */
const PATH_PARAMETERS: Readonly<Record<string, string>> = {
  dataset: 'Id of the dataset.',
  event: 'Id of the event.',
  id: 'Of the object.',
  project: 'Id of the project.',
  token: 'Of the link, as it was told when the link was made.',
}

const ERRORS: Readonly<Record<string, string>> = {
  '400': 'A parameter, or a field of the body, cannot be used: `attr` names it.',
  '401': 'No key was sent, or it is not valid.',
  '403': 'The key lacks the scope that `detail` names.',
  '404': 'There is no such object, or no such dataset for this key.',
  '409': 'The object has changed since it was read, or is not ready.',
  '429': 'Too many requests: `Retry-After` says how long to wait, `RateLimit-Policy` for which limit.',
  '503': 'Something behind this API cannot answer at the moment.',
}

export interface OpenApiOperation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary: string
  readonly description: string
  readonly security: readonly object[]
  readonly parameters: readonly object[]
  readonly requestBody?: object
  readonly responses: Readonly<Record<string, object>>
}

export interface OpenApiDocument {
  readonly openapi: '3.1.0'
  readonly info: { readonly title: string; readonly version: string; readonly description: string }
  readonly servers: readonly object[]
  /** By path with parameters in braces, then by method in lower case. */
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>
  readonly components: object
}

/** The OpenAPI 3.1 document of these routes: nothing in it is written twice. */
export function openApiDocument(routes: readonly Route[]): OpenApiDocument {
  const paths: Record<string, Record<string, OpenApiOperation>> = {}
  for (const route of routes) {
    const path = bracedPath(route.path)
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Millrace analytics API',
      version: '1',
      description: 'Questions about the events of a dataset, and what people make of them.',
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      securitySchemes: {
        key: {
          type: 'http',
          scheme: 'bearer',
          description: 'A personal key (mr_p_…) or a read key (mr_r_…).',
        },
      },
      schemas: { Error: ERROR_SCHEMA },
      responses: Object.fromEntries(
        Object.entries(ERRORS).map(([status, description]) => [
          `E${status}`,
          {
            description,
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
          },
        ]),
      ),
    },
  }
}

const ERROR_SCHEMA = {
  type: 'object',
  required: ['type', 'code', 'detail', 'attr'],
  properties: {
    type: { type: 'string', enum: ERROR_TYPES },
    code: { type: 'string' },
    detail: { type: 'string' },
    attr: {
      type: ['string', 'null'],
      description: 'Parameter or field at fault; nested ones joined with `__`.',
    },
  },
}

function operationOf(route: Route): OpenApiOperation {
  return {
    operationId: operationId(route),
    tags: [route.tag],
    summary: route.summary,
    description: `${scopeSentence(route)} ${limitSentence(route)}`,
    security: route.about === 'everybody' ? [] : [{ key: [] }],
    parameters: [...pathParameters(route), ...queryParameters(route)],
    ...(route.body === undefined ? {} : { requestBody: requestBody(route) }),
    responses: responsesOf(route),
  }
}

/** `:name` as `{name}`. */
function bracedPath(path: string): string {
  return path.replace(/:(\w+)/g, '{$1}')
}

/** `GET /api/datasets/:dataset/events/:event` as `get_datasets_events_event`. */
function operationId({ method, path }: Route): string {
  const words = path.replace(/^\/api\//, '').split(/[^a-z0-9_]+/i)
  return [method.toLowerCase(), ...words.filter((word, at) => word !== '' && word !== words[at - 1])].join(
    '_',
  )
}

function scopeSentence(route: Route): string {
  if (route.about === 'everybody') return 'Needs no key.'
  return `Needs the scope \`${route.access.object}:${route.access.action}\`.`
}

function limitSentence({ limit }: Route): string {
  const limits = RATE_LIMITS[limit].map(
    ({ requests, windowMs, scope }) => `${requests} per ${windowMs / 60_000} min (\`${scope}\`)`,
  )
  return `Limits: ${limits.join(', ')}.`
}

function pathParameters({ path, example }: Route): object[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    description: PATH_PARAMETERS[name] ?? name,
    schema: { type: 'string' },
    ...(example.params?.[name] === undefined ? {} : { example: example.params[name] }),
  }))
}

function queryParameters({ parameters = {}, example }: Route): object[] {
  return Object.entries(parameters).map(([name, { description, schema }]) => ({
    name,
    in: 'query',
    description,
    schema,
    ...(example.query?.[name] === undefined ? {} : { example: example.query[name] }),
  }))
}

function requestBody({ body, example, uploads }: Route): object {
  return {
    required: true,
    content: {
      'application/json': { schema: body, ...exampleOf(example, 'body') },
      ...(uploads === true ? filesOf(example) : {}),
    },
  }
}

/** A CSV file in the place of a JSON body. */
function filesOf({ upload }: RouteExample) {
  const { csv, fields } = upload ?? {}
  return {
    'text/csv': { schema: { type: 'string' }, ...(csv === undefined ? {} : { example: csv }) },
    'multipart/form-data': {
      schema: {
        type: 'object',
        required: ['csv'],
        properties: { csv: { type: 'string', contentMediaType: 'text/csv' } },
      },
      ...(csv === undefined ? {} : { example: { ...fields, csv } }),
    },
  } as const satisfies Readonly<Record<(typeof UPLOAD_TYPES)[number], object>>
}

function responsesOf(route: Route): Record<string, object> {
  const { success, example, about, limit, method } = route
  const { mediaType = 'application/json', schema = {} } = success
  const errors = [
    '400',
    ...(about === 'everybody' ? [] : ['401', '403']),
    ...(route.path.includes(':') ? ['404'] : []),
    ...(limit === 'default' && (method === 'PUT' || method === 'PATCH') && about === 'dataset'
      ? ['409']
      : []),
    '429',
    '503',
  ]
  return {
    [success.status]: {
      description: success.description,
      ...(success.status === 204
        ? {}
        : { content: { [mediaType]: { schema, ...exampleOf(example, 'answer') } } }),
    },
    ...Object.fromEntries(errors.map((status) => [status, { $ref: `#/components/responses/E${status}` }])),
  }
}

function exampleOf(example: RouteExample, part: 'body' | 'answer'): { readonly example?: unknown } {
  return example[part] === undefined ? {} : { example: example[part] }
}
