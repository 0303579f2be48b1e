import type { EventSchema } from '../../../schemas/control/v1.ts'
import { type AnyControlRecord, controlRecord } from '../../core/control/control-state.ts'
import { type ConfigDocument, type ConfigFault, parseConfigDocument } from './config-document.ts'
import { ruleFaults } from './config-rules.ts'
import type { ConfigContent, SchemaEntry } from './config-schema.ts'
import { shapeFaults } from './config-shape.ts'

/** What a file asks for, or everything that is wrong with it: one of the two is empty. */
export interface ConfigFile {
  readonly records: readonly AnyControlRecord[]
  /** In the order of the file. */
  readonly faults: readonly ConfigFault[]
}

/**
 * Reads and checks a `millrace.yaml`. Schemas named by `file` are read through `readText`, which is given the path
 * as it stands in the configuration and throws when there is no such file.
 */
export function readConfigFile(text: string, readText: (path: string) => string): ConfigFile {
  const document = parseConfigDocument(text)
  if (!('value' in document)) return { records: [], faults: document }
  const shape = shapeFaults(document)
  if (shape.length > 0) return { records: [], faults: inOrder(shape) }
  const content = document.value as ConfigContent
  const { schemas, faults: schemaFaults } = readSchemas(document, content.schemas ?? [], readText)
  const faults = [...schemaFaults, ...ruleFaults(document, content, schemas)]
  if (faults.length > 0) return { records: [], faults: inOrder(faults) }
  const { datasets = [], keys = [], subscriptions = [], deliveries = [] } = content
  const records: AnyControlRecord[] = [
    ...datasets.map((object) => controlRecord('dataset', object, 'config')),
    ...keys.map((object) => controlRecord('key', object, 'config')),
    ...schemas.map((object) => controlRecord('schema', object, 'config')),
    ...subscriptions.map((object) => controlRecord('subscription', object, 'config')),
    ...deliveries.map((object) => controlRecord('delivery', object, 'config')),
  ]
  return { records, faults: [] }
}

/** @returns one schema per entry, an empty one where there was a fault */
function readSchemas(
  document: ConfigDocument,
  entries: readonly SchemaEntry[],
  readText: (path: string) => string,
): { schemas: EventSchema[]; faults: ConfigFault[] } {
  const faults: ConfigFault[] = []
  const schemas = entries.map(({ dataset, event, json_schema, file }, i): EventSchema => {
    if ((json_schema === undefined) === (file === undefined))
      faults.push(document.faultAt(['schemas', i], 'needs either "json_schema" or "file"'))
    if (json_schema !== undefined || file === undefined)
      return { dataset, event, json_schema: json_schema ?? {} }
    const parsed = readJson(file, readText)
    if (typeof parsed === 'object') return { dataset, event, json_schema: parsed }
    faults.push(document.faultAt(['schemas', i, 'file'], parsed))
    return { dataset, event, json_schema: {} }
  })
  return { schemas, faults }
}

function readJson(file: string, readText: (path: string) => string): Record<string, unknown> | string {
  let text: string
  try {
    text = readText(file)
  } catch (error) {
    return `${file} cannot be read: ${(error as Error).message}`
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
    return `${file} does not hold a JSON object`
  } catch (error) {
    return `${file} is not JSON: ${(error as Error).message}`
  }
}

function inOrder(faults: readonly ConfigFault[]): readonly ConfigFault[] {
  return [...faults].sort((a, b) => a.line - b.line || a.column - b.column)
}

/** `file:line:column  path: sentence.`, with its details under it. */
export function showConfigFault(file: string, fault: ConfigFault): string {
  const place = `${file}:${fault.line}:${fault.column}`
  const path = fault.path === '' ? '' : `${fault.path}: `
  const detail = fault.detail === undefined ? '' : `\n${fault.detail.replaceAll(/^/gm, '    ')}`
  const stop = /[?.]$/.test(fault.message) ? '' : '.'
  return `${place}  ${path}${fault.message}${stop}${detail}`
}
