import { PERSON_NAMESPACE_HEX } from '../../core/event/person-id.ts'
import type { Bindings } from './bindings.ts'
import { DISTINCT_HASH } from './stored-events.ts'

/** Column of a question's rows: the key of the person who did it; empty for an event of nobody. */
export const PERSON_KEY = 'the_person'
/** Column of a question's rows: a number for that person, 0 for an event of nobody. Two persons of ten million have the same one in one of 400,000 datasets. */
export const PERSON_HASH = 'person_hash'
/** Column of a question's rows: the person's properties when the event arrived, a JSON object or empty. */
export const THEN_PROPERTIES = 'then_properties'

/**
 * Persons as they are: `newest_key`, `newest_properties` (a JSON object), `newest_created_at`. Deleted ones are not
 * among them.
 */
export function newestPersonsSql(dataset: string, bindings: Bindings): string {
  return (
    'SELECT person_key AS newest_key, argMax(properties, version) AS newest_properties, ' +
    'argMax(created_at, version) AS newest_created_at FROM persons ' +
    `WHERE dataset_id = ${bindings.bind(dataset, 'String')} ` +
    'GROUP BY person_key HAVING argMax(is_deleted, version) = 0'
  )
}

/**
 * Text: the id of a person by its key, as {@link personIdOf} makes it; null for nobody.
 *
 * @param key SQL of the person's key
 */
export function personIdSql(key: string, dataset: string, bindings: Bindings): string {
  const named = `concat(unhex('${PERSON_NAMESPACE_HEX}'), ${bindings.bind(dataset, 'String')}, char(0), ${key})`
  const hash = `lower(hex(SHA1(${named})))`
  const part = (from: number, length: number) => `substring(${hash}, ${from}, ${length})`
  // The two highest bits of the 17th digit are 1 and 0, which leaves it four values.
  const variant = `substring('89ab', 1 + (position('0123456789abcdef', ${part(17, 1)}) - 1) % 4, 1)`
  const text = [
    part(1, 8),
    part(9, 4),
    `concat('5', ${part(14, 3)})`,
    `concat(${variant}, ${part(18, 3)})`,
    part(21, 12),
  ]
  return `if(${key} = '', NULL, concat(${text.join(", '-', ")}))`
}

/**
 * What merges and splits moved: `override_id` (a distinct id) belongs to `override_key`. One row per distinct id.
 *
 * @param among a SELECT of the only distinct ids that matter; null for all
 */
export function overridesSql(dataset: string, bindings: Bindings, among: string | null = null): string {
  const chosen = among === null ? '' : ` AND distinct_id IN (${among})`
  return (
    'SELECT distinct_id AS override_id, argMax(person_key, version) AS override_key FROM person_overrides ' +
    `WHERE dataset_id = ${bindings.bind(dataset, 'String')}${chosen} GROUP BY distinct_id`
  )
}

/**
 * Rows with the column {@link PERSON_KEY} added: the person that the distinct id belongs to now.
 *
 * @param rows a SELECT with the column `distinct_id`, no others named as in {@link overridesSql}
 */
export function withPersonSql(rows: string, dataset: string, bindings: Bindings): string {
  return (
    `SELECT *, if(ifNull(override_key, '') = '', ifNull(distinct_id, ''), ifNull(override_key, '')) AS ${PERSON_KEY} FROM (${rows}) AS happened ` +
    `LEFT ANY JOIN (${overridesSql(dataset, bindings)}) AS overrides ON happened.distinct_id = overrides.override_id`
  )
}

/**
 * Events with the columns {@link PERSON_KEY} and {@link PERSON_HASH} added, joined by numbers.
 *
 * @param rows a SELECT with the columns `distinct_id` and `distinct_hash`, no others named as in here
 */
export function withEventPersonSql(rows: string, dataset: string, bindings: Bindings): string {
  const moved =
    'SELECT sipHash64(override_id) AS moved_hash, override_key, sipHash64(override_key) AS override_hash ' +
    `FROM (${overridesSql(dataset, bindings)})`
  const isMoved = 'ifNull(override_hash, 0) != 0'
  return (
    `SELECT *, if(${isMoved}, ifNull(override_key, ''), ifNull(distinct_id, '')) AS ${PERSON_KEY}, ` +
    `if(${isMoved}, ifNull(override_hash, 0), ${DISTINCT_HASH}) AS ${PERSON_HASH} FROM (${rows}) AS happened ` +
    `LEFT ANY JOIN (${moved}) AS overrides ON happened.${DISTINCT_HASH} = overrides.moved_hash`
  )
}

/**
 * Rows with the column {@link THEN_PROPERTIES} added: what was true of the person when the event arrived, after
 * whatever the event itself changed.
 *
 * @param rows a SELECT with the columns `distinct_id` and `collector_time`
 */
export function withPersonThenSql(rows: string, dataset: string, bindings: Bindings): string {
  const bound = bindings.bind(dataset, 'String')
  const owners =
    'SELECT distinct_id AS then_id, valid_from AS then_from, argMax(person_key, version) AS then_owner ' +
    `FROM person_override_changes WHERE dataset_id = ${bound} GROUP BY distinct_id, valid_from`
  const states =
    'SELECT person_key AS state_key, valid_from AS state_from, argMax(properties, version) AS state_properties ' +
    `FROM person_changes WHERE dataset_id = ${bound} GROUP BY person_key, valid_from`
  const owned =
    "SELECT *, if(ifNull(then_owner, '') = '', ifNull(distinct_id, ''), ifNull(then_owner, '')) AS then_key " +
    `FROM (${rows}) AS arrived ASOF LEFT JOIN (${owners}) AS owners ` +
    "ON ifNull(arrived.distinct_id, '') = owners.then_id AND arrived.collector_time >= owners.then_from"
  return (
    `SELECT *, ifNull(state_properties, '') AS ${THEN_PROPERTIES} FROM (${owned}) AS owned ` +
    `ASOF LEFT JOIN (${states}) AS states ` +
    'ON owned.then_key = states.state_key AND owned.collector_time >= states.state_from'
  )
}
