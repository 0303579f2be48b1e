import type { IdentityRecord } from '../../schemas/identity-record/v1.ts'
import { plain, ReferenceModel } from '../services/identity/persons/reference-model.ts'
import { numberOf } from './asked.ts'
import { difference } from './difference.ts'
import { type StoredRecord, storedRecords } from './stored-records.ts'
import type { World } from './world.ts'
import { DATASETS, names, PARTITIONS } from './world-config.ts'

type Row = Readonly<Record<string, unknown>>

/**
 * Compares what enriched events say about persons with what was made of it: `events.identity` says each of them once;
 * read from its beginning by the rules in their slowest form, it gives the persons, ids and history that lie in the
 * database, in ClickHouse and in the topic of persons.
 *
 * @param enriched what was found in `events.enriched`
 * @returns one sentence per thing that is wrong
 */
export function personFaults(world: World, enriched: readonly StoredRecord[]): string[] {
  const told = storedRecords(world.log, names.identity)
  const topic = readPersonsTopic(world)
  return [
    ...statementFaults(enriched, told),
    ...topic.faults,
    ...DATASETS.flatMap(({ id }) =>
      datasetFaults(
        world,
        id,
        topic.newest,
        told.filter(({ value }) => value.dataset_id === id),
      ),
    ),
  ]
}

/** What says something is told once; what only shows an id may be left out, but for the first of them. */
function statementFaults(enriched: readonly StoredRecord[], told: readonly StoredRecord[]): string[] {
  const [statements, sightings] = [enriched.filter(isStatement), enriched.filter((one) => !isStatement(one))]
  const place = names.identity
  const seen = new Set(told.map(idOf))
  const known = new Set(sightings.map(sourceOf))
  const [statementsTold, sightingsTold] = [
    told.filter((one) => !known.has(sourceOf(one))),
    told.filter((one) => known.has(sourceOf(one))),
  ]
  return [
    ...difference(place, statements.map(sourceOf), statementsTold.map(sourceOf)),
    ...difference(place, [...new Set(sightingsTold.map(sourceOf))], sightingsTold.map(sourceOf)),
    ...[...new Set(sightings.map(idOf))]
      .filter((id) => !seen.has(id))
      .map((id) => `${place}: nobody tells that ${id} was there.`),
  ]
}

const isStatement = ({ value }: StoredRecord) => Number(numberOf(value)) > 0
const idOf = ({ value }: StoredRecord) => `${value.dataset_id}/${value.distinct_id}`
const sourceOf = ({ value }: StoredRecord) =>
  `${value.dataset_id}/${value.event_id} of ${value.distinct_id} at ${value.src_partition}:${value.src_offset}`

function datasetFaults(
  world: World,
  dataset: string,
  newest: readonly Row[],
  told: readonly StoredRecord[],
): string[] {
  const model = new ReferenceModel()
  for (const { value } of told) model.apply(value as unknown as IdentityRecord)
  const { store, tables } = world.identity
  const ofDataset = (rows: readonly Row[]) => rows.filter((row) => row.dataset_id === dataset)
  const compare = (place: string, wanted: readonly string[], found: readonly string[]) =>
    difference(`persons of ${dataset} in ${place}`, wanted, found)

  const persons = model.persons.map(({ key, properties }) => personText(key, Object.fromEntries(properties)))
  const belongings = model.persons.flatMap(({ key, ids }) => ids.map((id) => `${id} is of ${plain(key)}`))
  const stored = store.personsOf(dataset)
  const rows = ofDataset(tables.newest('persons', 'dataset_id', 'person_key'))
  const topic = ofDataset(newest)
  const version = ({ person_key, version }: Row) => `${person_key} at ${version}`
  const versions = stored.map(({ key, version }) => `${key} at ${version}`)
  const alive = rows.filter(({ is_deleted }) => is_deleted === false)
  return [
    ...compare(
      'the database',
      persons,
      stored.map(({ key, properties }) => personText(key, properties)),
    ),
    ...compare(
      'the database',
      belongings,
      store.idsOf(dataset).map(({ id, personKey }) => `${id} is of ${plain(personKey ?? '')}`),
    ),
    ...compare('ClickHouse', persons, alive.map(rowText)),
    ...compare('ClickHouse', versions, alive.map(version)),
    ...compare(
      'ClickHouse',
      belongings,
      ofDataset(tables.newest('person_distinct_ids', 'dataset_id', 'distinct_id')).map(
        ({ distinct_id, person_key }) => `${distinct_id} is of ${plain(String(person_key))}`,
      ),
    ),
    ...compare('their topic', persons, topic.map(rowText)),
    ...compare('their topic', versions, topic.map(version)),
    ...historyFaults(
      dataset,
      model.history,
      ofDataset(tables.newest('person_changes', 'dataset_id', 'person_key', 'version')),
    ),
  ]
}

/** Line by line: each has a version of its own, and what is behind a missing one is not told. */
function historyFaults(dataset: string, wanted: readonly string[], rows: readonly Row[]): string[] {
  const found = rows
    .toSorted((a, b) => Number(a.version) - Number(b.version))
    .map(
      (row) =>
        `${row.change} ${row.reason} ${plain(String(row.person_key))} ${plain(String(row.other_person_key))}`,
    )
  const at = wanted.findIndex((line, index) => line !== found[index])
  if (at === -1 && wanted.length === found.length) return []
  const place = at === -1 ? wanted.length : at
  return [
    `The history of ${dataset}’s persons has ${found.length} lines, not ${wanted.length}; line ${place} is ${found[place] ?? 'not there'}, not ${wanted[place] ?? 'there'}.`,
  ]
}

const personText = (key: string, properties: object) =>
  `${plain(key)} ${JSON.stringify(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1)))}`
const rowText = ({ person_key, properties }: Row) => personText(String(person_key), properties as object)

/** What a reader of the compacted topic has in the end, and what went back to an older state on the way. */
function readPersonsTopic({ log }: World): {
  readonly newest: readonly Row[]
  readonly faults: readonly string[]
} {
  const newest = new Map<string, Row>()
  const versions = new Map<string, number>()
  const faults: string[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const batch = log.controls.records(names.persons, partition)
    for (let index = 0; index < (batch?.length ?? 0); index++) {
      const [key, value] = [String(batch!.key(index)), batch!.value(index)]
      const version = Number(batch!.header(index, 'version'))
      if (version < (versions.get(key) ?? 0))
        faults.push(`${names.persons}: ${key} goes back from version ${versions.get(key)} to ${version}.`)
      versions.set(key, version)
      if (value === null) newest.delete(key)
      else newest.set(key, JSON.parse(value.toString()))
    }
  }
  return { newest: [...newest.values()], faults }
}
