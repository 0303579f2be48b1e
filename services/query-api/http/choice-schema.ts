import { type TLiteral, type TUnion, Type } from '@sinclair/typebox'

/** One of these texts. (TypeBox does not check `enum` of a string.) */
export function choiceSchema<const T extends string>(
  choices: readonly T[],
  options: { readonly description?: string } = {},
): TUnion<TLiteral<T>[]> {
  return Type.Union(
    choices.map((choice) => Type.Literal(choice)),
    options,
  )
}
