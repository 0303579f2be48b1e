import { bodyDeclared, type ParameterDeclarations } from '../http/parameter-declarations.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import { type Answer, DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { postedParameters, textsOf } from './posted-parameters.ts'

/** A question that is asked by GET and by POST. */
export interface QuestionDeclaration
  extends Pick<DatasetRoute, 'tag' | 'access' | 'limit' | 'summary' | 'pages'> {
  /** Below the dataset. */
  readonly path: string
  readonly parameters: ParameterDeclarations
  /** What is answered. */
  readonly description: string
  /** `application/json` when left out. */
  readonly mediaType?: string
  /** Parameters as a body has them, and the answer to them. */
  readonly example: { readonly asked: Readonly<Record<string, unknown>>; readonly answer: unknown }
  /** @param query parameters of the address, and over them those of the body */
  answer(call: DatasetCall, query: RawQuery): Promise<Answer>
}

/**
 * A question may be longer than an address: POST takes the same parameters as JSON, and changes nothing either, so both
 * need the same right.
 */
export function questionRoutes(question: QuestionDeclaration): DatasetRoute[] {
  const { path, description, mediaType, example, answer, parameters, ...declared } = question
  const { asked, answer: answered } = example
  const common = {
    ...declared,
    about: 'dataset',
    path: DATASET_PATH + path,
    parameters,
    success: { status: 200, description, ...(mediaType === undefined ? {} : { mediaType }) },
    answer: (call: DatasetCall) => answer(call, postedParameters(call.query, call.body)),
  } as const
  const params = { dataset: 'shop' }
  return [
    { ...common, method: 'GET', example: { params, query: textsOf(asked), answer: answered } },
    {
      ...common,
      method: 'POST',
      body: bodyDeclared(parameters),
      example: { params, body: asked, answer: answered },
    },
  ]
}
