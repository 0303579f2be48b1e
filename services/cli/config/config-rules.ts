import type { Dataset, Delivery, EventSchema, Subscription } from '../../../schemas/control/v1.ts'
import { CANONICAL_DEPTH_MAX, canonicalJson } from '../../core/control/canonical-json.ts'
import { compressionFault } from '../../core/control/file-compression.ts'
import { suggestion } from '../../core/control/nearest-name.ts'
import { parsePartitionTemplate } from '../../core/control/partition-template.ts'
import { compileEventSchema, EventSchemaError } from '../../core/event/event-schema.ts'
import { FilterError, showFilterFault } from '../../core/event/filter-expression.ts'
import { parseEventPath, parseFilter } from '../../core/event/filter-parser.ts'
import { selectionFields } from '../../core/event/selection.ts'
import type { ConfigDocument, ConfigFault, ConfigPath } from './config-document.ts'
import type { ConfigContent } from './config-schema.ts'

/** Bytes of one JSON Schema at most: it must fit into one record of the control topic. */
export const JSON_SCHEMA_BYTES_MAX = 256 * 1024

type Report = (path: ConfigPath, message: string, detail?: string) => void

/** Faults that take more than one value to see. `content` has the right shape, its schemas are in place. */
export function ruleFaults(
  document: ConfigDocument,
  content: ConfigContent,
  schemas: readonly EventSchema[],
): readonly ConfigFault[] {
  const faults: ConfigFault[] = []
  const report: Report = (path, message, detail) => faults.push(document.faultAt(path, message, detail))
  const { datasets = [], keys = [], subscriptions = [], deliveries = [] } = content
  const byId = new Map(datasets.map((dataset) => [dataset.id, dataset]))

  unique('datasets', datasets, 'id', report)
  unique('keys', keys, 'id', report)
  unique('keys', keys, 'sha256', report)
  unique('subscriptions', subscriptions, 'id', report)
  unique('deliveries', deliveries, 'id', report)

  datasets.forEach((dataset, i) => {
    if (dataset.timezone !== undefined && !isTimeZone(dataset.timezone))
      report(['datasets', i, 'timezone'], `there is no IANA time zone "${dataset.timezone}"`)
  })
  keys.forEach((key, i) => {
    checkDataset(key.dataset, ['keys', i, 'dataset'], byId, report)
    if (key.expires_at !== undefined && !isInstant(key.expires_at))
      report(['keys', i, 'expires_at'], 'must be an ISO 8601 instant like 2027-01-31T00:00:00Z')
  })
  const seen = new Map<string, number>()
  schemas.forEach((schema, i) => {
    checkDataset(schema.dataset, ['schemas', i, 'dataset'], byId, report)
    const name = `${schema.dataset}/${schema.event}`
    const earlier = seen.get(name)
    if (earlier !== undefined)
      report(
        ['schemas', i, 'event'],
        `${schema.dataset} has a schema for this event already: schemas[${earlier}]`,
      )
    else seen.set(name, i)
    const place = content.schemas?.[i]?.file === undefined ? 'json_schema' : 'file'
    checkJsonSchema(schema, ['schemas', i, place], report)
  })
  subscriptions.forEach((subscription, i) => {
    checkSelection(subscription, ['subscriptions', i], byId, report)
    checkMaskAndKey(subscription, ['subscriptions', i], report)
  })
  deliveries.forEach((delivery, i) => {
    checkSelection(delivery, ['deliveries', i], byId, report)
    checkFiles(delivery, ['deliveries', i], report)
  })
  return faults
}

function unique<T>(list: string, items: readonly T[], member: keyof T & string, report: Report): void {
  const first = new Map<unknown, number>()
  items.forEach((item, i) => {
    const earlier = first.get(item[member])
    if (earlier === undefined) first.set(item[member], i)
    else report([list, i, member], `${list}[${earlier}] has the same ${member}`)
  })
}

function checkDataset(
  id: string,
  path: ConfigPath,
  datasets: ReadonlyMap<string, Dataset>,
  report: Report,
): Dataset | null {
  const dataset = datasets.get(id)
  if (dataset !== undefined) return dataset
  report(path, `there is no dataset "${id}" in this file${suggestion(id, datasets.keys())}`)
  return null
}

function checkSelection(
  asked: Subscription | Delivery,
  path: ConfigPath,
  datasets: ReadonlyMap<string, Dataset>,
  report: Report,
): void {
  asked.datasets.forEach((id, i) => {
    const at = [...path, 'datasets', i]
    const dataset = checkDataset(id, at, datasets, report)
    if (asked.datasets.indexOf(id) < i) report(at, `"${id}" stands here twice`)
    if (dataset !== null && dataset.account !== asked.account)
      report(
        at,
        `"${id}" belongs to account "${dataset.account}", but this is for account "${asked.account}": accounts are never mixed`,
      )
  })
  const { where } = asked
  if (where === undefined) return
  inFilter(where, [...path, 'where'], report, () =>
    parseFilter(where, selectionFields('source' in asked ? asked.source : 'enriched')),
  )
}

function checkMaskAndKey({ fields, key }: Subscription, path: ConfigPath, report: Report): void {
  if (fields?.include !== undefined && fields.exclude !== undefined)
    report([...path, 'fields'], 'takes either include or exclude, not both')
  for (const list of ['include', 'exclude'] as const)
    fields?.[list]?.forEach((text, i) => {
      const at = [...path, 'fields', list, i]
      inFilter(text, at, report, () => parseEventPath(text))
    })
  if (key !== undefined)
    inFilter(key, [...path, 'key'], report, () => {
      const { field } = parseEventPath(key)
      if (field !== null && (field.type === 'json' || field.type === 'text_list'))
        report([...path, 'key'], `${key} holds more than one value and cannot be a key`)
    })
}

function checkFiles(delivery: Delivery, path: ConfigPath, report: Report): void {
  const fault = compressionFault(delivery.format, delivery.compression)
  if (fault !== null) report([...path, 'compression'], fault)
  if (delivery.until !== undefined && !isInstant(delivery.until))
    report([...path, 'until'], 'must be an ISO 8601 instant like 2027-01-31T00:00:00Z')
  if (delivery.partition_by === undefined) return
  const template = parsePartitionTemplate(delivery.partition_by)
  if ('message' in template)
    report([...path, 'partition_by'], template.message, showFilterFault(delivery.partition_by, template))
}

/** Reports what `check` throws as a fault of the expression language. */
function inFilter(text: string, path: ConfigPath, report: Report, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    report(path, error.fault.message, showFilterFault(text, error.fault))
  }
}

/** The enricher's own compiler decides, so that what passes here can be used there. Nothing is ever fetched. */
function checkJsonSchema({ json_schema }: EventSchema, path: ConfigPath, report: Report): void {
  const bytes = schemaBytes(json_schema)
  if (bytes === null) report(path, `the JSON Schema is nested more than ${CANONICAL_DEPTH_MAX} levels deep`)
  else if (bytes > JSON_SCHEMA_BYTES_MAX)
    report(path, `the JSON Schema has ${bytes} bytes; at most ${JSON_SCHEMA_BYTES_MAX} are allowed`)
  else {
    try {
      compileEventSchema(json_schema)
    } catch (error) {
      if (!(error instanceof EventSchemaError)) throw error
      report(path, `this JSON Schema cannot be used: ${error.message}`)
    }
  }
}

/** Size as it is published; null when it is nested too deep to be. */
function schemaBytes(schema: EventSchema['json_schema']): number | null {
  try {
    return Buffer.byteLength(canonicalJson(schema))
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

function isInstant(text: string): boolean {
  return (
    /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/.test(text) &&
    !Number.isNaN(Date.parse(text))
  )
}
