import { type TSchema, Type } from '@sinclair/typebox'

/** A parameter of an address, as the documentation tells it. Reading and checking it is its route's work. */
export interface ParameterDeclaration {
  readonly description: string
  readonly schema: TSchema
}

const JSON_MEDIA_TYPE = 'application/json'

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

/** A whole number within bounds. */
export function wholeDeclared(
  description: string,
  minimum: number,
  maximum: number,
  otherwise?: number,
): ParameterDeclaration {
  const schema = Type.Integer({
    minimum,
    maximum,
    ...(otherwise === undefined ? {} : { default: otherwise }),
  })
  return { description, schema }
}

/** A whole number from 1. */
export function countDeclared(description: string, otherwise: number, max: number): ParameterDeclaration {
  return wholeDeclared(description, 1, max, otherwise)
}

/** The same, or `all` for an answer without pages. */
export function countOrAllDeclared(
  description: string,
  otherwise: number,
  max: number,
): ParameterDeclaration {
  const { schema } = wholeDeclared('', 1, max)
  return { description, schema: Type.Union([schema, Type.Literal('all')], { default: otherwise }) }
}

/** `true` or `false`, which it is when left out. */
export function flagDeclared(description: string): ParameterDeclaration {
  return { description, schema: Type.Boolean({ default: false }) }
}

/** A list or an object: in an address as JSON text, in a body as it is. */
export function jsonDeclared(description: string): ParameterDeclaration {
  return { description, schema: Type.String({ contentMediaType: JSON_MEDIA_TYPE }) }
}

/** The schema of a body of these parameters. */
export function bodyDeclared(parameters: ParameterDeclarations): TSchema {
  return Type.Object(
    Object.fromEntries(
      Object.entries(parameters).map(([name, { description, schema }]) => [
        name,
        Type.Optional(
          schema.contentMediaType === JSON_MEDIA_TYPE
            ? Type.Unknown({ description })
            : { ...schema, description },
        ),
      ]),
    ),
  )
}
