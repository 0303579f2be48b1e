import type { DemoConnections } from '../../services/cli/demo/demo-connections.ts'
import { eachLine, readWholeTopic } from './read-places.ts'

/** Named of what is wrong. */
const FAULTS_MAX = 20

const PERSONS = `SELECT concat(dataset_id, ':', person_key), version, properties FROM persons FINAL
  WHERE NOT is_deleted FORMAT JSONCompactEachRow`
const LAST_LINES = `SELECT concat(dataset_id, ':', person_key), max(version), argMax(properties, version)
  FROM person_changes GROUP BY dataset_id, person_key FORMAT JSONCompactEachRow`

/**
 * Every person is as its last line of history says, in ClickHouse and in the topic of persons. Nobody is merged or
 * deleted in a run.
 *
 * @returns sentences; none where both hold
 */
export async function personFaults(connections: DemoConnections): Promise<string[]> {
  const [rows, lines, topic] = await Promise.all([
    personsOf(connections, PERSONS),
    personsOf(connections, LAST_LINES),
    personsInTopic(connections),
  ])
  return [
    ...differences('ClickHouse persons', lines, rows),
    ...differences('the topic of persons', lines, topic),
  ].slice(0, FAULTS_MAX)
}

/** Version and properties by dataset and key. */
type Persons = ReadonlyMap<string, string>

const stateOf = (version: unknown, properties: object) =>
  `version ${version} with ${JSON.stringify(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1)))}`

async function personsOf(connections: DemoConnections, statement: string): Promise<Persons> {
  const found = new Map<string, string>()
  await eachLine(connections, statement, (line) => {
    const [name, version, properties] = JSON.parse(line) as [string, string, string]
    found.set(name, stateOf(version, JSON.parse(properties)))
  })
  return found
}

async function personsInTopic(connections: DemoConnections): Promise<Persons> {
  const found = new Map<string, string>()
  await readWholeTopic(connections, connections.names.persons, (value) => {
    const { dataset_id, person_key, version, properties } = JSON.parse(value)
    found.set(`${dataset_id}:${person_key}`, stateOf(version, properties))
  })
  return found
}

function differences(place: string, wanted: Persons, found: Persons): string[] {
  return [
    ...[...wanted]
      .filter(([name, state]) => found.get(name) !== state)
      .map(([name, state]) => `${place}: ${name} is ${found.get(name) ?? 'not there'}, not ${state}`),
    ...[...found.keys()]
      .filter((name) => !wanted.has(name))
      .map((name) => `${place}: ${name} has no history`),
  ]
}
