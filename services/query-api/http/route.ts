import type { Question } from '../query/question.ts'
import type { RawQuery } from './request-parameters.ts'

/** One call of a route, by somebody who may ask. */
export interface Call {
  readonly question: Question
  readonly query: RawQuery
  /** What JSON the body holds; undefined without one. */
  readonly body: unknown
  /** Parameters in the path, unescaped. */
  readonly params: Readonly<Record<string, string>>
  /** The call's own absolute address, as clients reach it. */
  readonly url: URL
}

export interface Answer {
  readonly headers?: Readonly<Record<string, string>>
  /** Text is sent as it is, everything else as JSON. */
  readonly body: unknown
}

/** What is answered under one method and path. It throws an {@link ApiError} for every other answer. */
export interface Route {
  readonly method: 'GET' | 'POST'
  /** Below `/api/datasets/:dataset`, with parameters as `:name`. */
  readonly path: string
  answer(call: Call): Promise<Answer>
}

/** A parameter of the path that its route declares. */
export function pathParameter(call: Pick<Call, 'params'>, name: string): string {
  const value = call.params[name]
  if (value === undefined) throw new Error(`The path of this route has no parameter ${name}.`)
  return value
}
