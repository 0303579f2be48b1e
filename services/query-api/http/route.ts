import type { TSchema } from '@sinclair/typebox'
import type { Question } from '../query/question.ts'
import type { Access } from './authorize.ts'
import type { ListPages } from './list-files.ts'
import type { ParameterDeclarations } from './parameter-declarations.ts'
import type { Principal } from './principal.ts'
import type { LimitClass } from './rate-limits.ts'
import type { RawQuery } from './request-parameters.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** Where the routes about one dataset lie. */
export const DATASET_PATH = '/api/datasets/:dataset'

/** One call of a route that everybody may make. */
export interface PublicCall {
  readonly query: RawQuery
  /** Parameters in the path, unescaped. */
  readonly params: Readonly<Record<string, string>>
  /**
   * As JSON has it, without the field `personal_api_key`, or an `Upload`; undefined when none was sent. Not checked
   * yet.
   */
  readonly body: unknown
  /** The call's own absolute address, as clients reach it. */
  readonly url: URL
  /** Aborts when nobody waits for the answer any more. */
  readonly gone: AbortSignal
}

/** One call of a route, by somebody who may make it. */
export interface Call extends PublicCall {
  readonly principal: Principal
}

/** One call of a route about a dataset that the caller has rights to. */
export interface DatasetCall extends Call {
  readonly question: Question
}

export interface Answer {
  /** 200 when left out. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text is sent as it is, a Readable while it is read, nothing as an empty body, everything else as JSON. */
  readonly body?: unknown
  /** Of a Readable: what has been read from it. */
  readonly written?: { readonly rows: number }
}

/** What a route says of itself. Rights, limits, 405s and the OpenAPI document are made of it. */
export interface RouteDeclaration {
  readonly method: Method
  /** Parameters as `:name`. */
  readonly path: string
  /** Family, as the documentation groups them. */
  readonly tag: string
  /** One line. */
  readonly summary: string
  readonly limit: LimitClass
  readonly parameters?: ParameterDeclarations
  readonly body?: TSchema
  /** Whether it takes an `Upload` (a CSV file, or a form with one) in the place of the body. */
  readonly uploads?: boolean
  readonly success: SuccessDeclaration
  readonly example: RouteExample
  /** Of a list whose answer is no `{next, results}` with entries that are declared: how its pages are read. */
  readonly pages?: ListPages
}

export interface SuccessDeclaration {
  readonly status: 200 | 201 | 202 | 204
  readonly description: string
  /** Left out for an empty body. */
  readonly schema?: TSchema
  /** `application/json` when left out. */
  readonly mediaType?: string
}

/** A call that works, for whoever reads the documentation; a test holds it to the declaration. */
export interface RouteExample {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** Of a route that takes files: one, and what stands beside it in a form, or in the address. */
  readonly upload?: { readonly csv: string; readonly fields?: Readonly<Record<string, string>> }
  /** Left out for an empty body. */
  readonly answer?: unknown
}

/** A route about one dataset. It throws an {@link ApiError} for every answer but its own. */
export interface DatasetRoute extends RouteDeclaration {
  readonly about: 'dataset'
  readonly access: Access
  answer(call: DatasetCall): Promise<Answer>
}

/** A route about what lies beside the datasets. It throws an {@link ApiError} for every answer but its own. */
export interface InstallationRoute extends RouteDeclaration {
  readonly about: 'installation'
  readonly access: Access
  answer(call: Call): Promise<Answer>
}

/** A route that needs no key. */
export interface PublicRoute extends RouteDeclaration {
  readonly about: 'everybody'
  answer(call: PublicCall): Promise<Answer>
}

export type Route = DatasetRoute | InstallationRoute | PublicRoute

/** A parameter of the path that its route declares. */
export function pathParameter(call: Pick<PublicCall, 'params'>, name: string): string {
  const value = call.params[name]
  if (value === undefined) throw new Error(`The path of this route has no parameter ${name}.`)
  return value
}
