import { type TSchema, Type } from '@sinclair/typebox'

/** A parameter of an address, as the documentation tells it. Reading and checking it is its route's work. */
export interface ParameterDeclaration {
  readonly description: string
  readonly schema: TSchema
}

/** By name. A route refuses every parameter that it does not declare. */
export type ParameterDeclarations = Readonly<Record<string, ParameterDeclaration>>

export function textDeclared(description: string): ParameterDeclaration {
  return { description, schema: Type.String() }
}

export function choiceDeclared(
  description: string,
  choices: readonly string[],
  otherwise?: string,
): ParameterDeclaration {
  const schema = Type.String({
    enum: [...choices],
    ...(otherwise === undefined ? {} : { default: otherwise }),
  })
  return { description, schema }
}

/** A whole number from 1. */
export function countDeclared(description: string, otherwise: number, max: number): ParameterDeclaration {
  return { description, schema: Type.Integer({ minimum: 1, maximum: max, default: otherwise }) }
}
