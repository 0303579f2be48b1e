import { CONTROL_SCHEMAS, type ControlKind } from '../../../schemas/control/v1.ts'
import { canonicalJson } from '../../core/control/canonical-json.ts'
import type { ControlChange } from '../../core/control/control-publisher.ts'
import { type AnyControlRecord, controlKey } from '../../core/control/control-state.ts'

export interface ConfigDifference {
  /** In the order in which they are shown and published. */
  readonly changes: readonly ConfigChange[]
  /** Objects that are the same as in the file. */
  readonly unchanged: number
  /** Why it cannot be applied, one sentence each. */
  readonly conflicts: readonly string[]
}

export interface ConfigChange {
  readonly action: 'add' | 'change' | 'remove'
  readonly kind: ControlKind
  readonly id: string
  /** For `change`: `member: before → after`, one line each. */
  readonly details: readonly string[]
  readonly change: ControlChange
}

const KINDS = Object.keys(CONTROL_SCHEMAS) as ControlKind[]

/**
 * What applying a file does: objects of the configuration that the file does not have are removed, objects managed
 * through the API are never touched.
 */
export function configDifference(
  inForce: readonly AnyControlRecord[],
  wanted: readonly AnyControlRecord[],
): ConfigDifference {
  const current = new Map(inForce.map((record) => [controlKey(record.kind, record.id), record]))
  const kept = new Set(wanted.map((record) => controlKey(record.kind, record.id)))
  const changes: ConfigChange[] = []
  const conflicts: string[] = []
  let unchanged = 0
  for (const record of wanted) {
    const { kind, id } = record
    const before = current.get(controlKey(kind, id))
    if (before?.managed_by === 'api') {
      conflicts.push(
        `The ${kind} "${id}" is managed through the API. Remove it from the file, or delete it through the API first.`,
      )
    } else if (before === undefined) {
      changes.push({ action: 'add', kind, id, details: [], change: { action: 'put', record } })
    } else if (before.hash !== record.hash) {
      const details = memberDifferences(before.object, record.object)
      changes.push({ action: 'change', kind, id, details, change: { action: 'put', record } })
    } else unchanged += 1
  }
  for (const { kind, id, managed_by } of inForce) {
    if (managed_by === 'config' && !kept.has(controlKey(kind, id)))
      changes.push({ action: 'remove', kind, id, details: [], change: { action: 'remove', kind, id } })
  }
  changes.sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind))
  return { changes, unchanged, conflicts }
}

/** Characters of one shown value. */
const SHOWN_MAX = 80

function memberDifferences(before: object, after: object): readonly string[] {
  const [old, young] = [new Map(Object.entries(before)), new Map(Object.entries(after))]
  return [...new Set([...old.keys(), ...young.keys()])]
    .filter((name) => shown(old.get(name)) !== shown(young.get(name)))
    .map((name) => `${name}: ${cut(shown(old.get(name)))} → ${cut(shown(young.get(name)))}`)
}

const shown = (value: unknown): string => (value === undefined ? '(not set)' : canonicalJson(value))

const cut = (text: string): string => (text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX - 1)}…`)

const MARKS = { add: '+', change: '~', remove: '-' } as const

/** One line per object, its changed members under it. */
export function showDifference({ changes }: ConfigDifference): string {
  return changes
    .flatMap(({ action, kind, id, details }) => [
      `${MARKS[action]} ${kind} ${id}`,
      ...details.map((detail) => `    ${detail}`),
    ])
    .join('\n')
}
