import type { Static, TObject, TSchema } from '@sinclair/typebox'
import type { ObjectRow } from '../../core/metadata/metadata-tables.ts'
import type { PageSizes } from '../http/list-page.ts'
import type { ParameterDeclarations } from '../http/parameter-declarations.ts'
import type { ScopeObject } from '../http/scopes.ts'
import type { OwnColumns } from './object-store.ts'

/** A kind of objects that people make, change and delete: annotations, actions, … */
export interface ObjectFamily<F extends TObject, R extends ObjectRow> {
  /** One of them, as scopes name it. */
  readonly object: ScopeObject
  /** Many of them, as the path names them. */
  readonly tag: string
  /** What may be written, with `additionalProperties: false`. */
  readonly fields: F
  /** Fields that POST takes besides, all optional: they say what it is made from. */
  readonly onlyPosted?: TObject
  /** Fields that PATCH takes besides. */
  readonly onlyPatched?: TObject
  /** Values of what POST and PUT may leave out. */
  readonly absent: Partial<Static<F>>
  /** How one is shown. */
  readonly view: TSchema
  readonly pages: PageSizes
  readonly filters: ParameterDeclarations
  /** A field whose value only one object of a dataset has; null for none. */
  readonly unique: string | null
  readonly example: { readonly fields: Static<F>; readonly view: unknown }
  /**
   * Fields as columns: exactly those that are given.
   *
   * @throws ApiError 400 for what the schema could not tell
   */
  columnsOf(fields: Partial<Static<F>>): Partial<OwnColumns<R>>
  present(row: R): unknown
}
