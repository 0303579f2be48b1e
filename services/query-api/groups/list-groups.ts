import type { Ask } from '../query/ask.ts'
import { encodeCreatedCursor } from '../query/created-cursor.ts'
import type { Question } from '../query/question.ts'
import { type GroupPage, type GroupRecord, type GroupSelection, groupPageSql } from './group-query.ts'

/** A group as the API shows it. */
export interface GroupView {
  readonly group_type_index: number
  readonly group_key: string
  /** As of now. */
  readonly group_properties: Readonly<Record<string, unknown>>
  readonly created_at: string
}

/** A page of groups, the newest first. `next` is the cursor of the page after it; null for the last one. */
export async function listGroups(
  ask: Ask,
  question: Question,
  selection: GroupSelection,
  page: GroupPage,
): Promise<{ readonly groups: readonly GroupView[]; readonly next: string | null }> {
  const records = await ask<GroupRecord>(question, (bindings) =>
    groupPageSql(question.dataset.id, selection, { ...page, limit: page.limit + 1 }, bindings),
  )
  const shown = records.slice(0, page.limit)
  const last = shown.at(-1)
  return {
    groups: shown.map((record) => groupView(record, selection.index)),
    next:
      records.length > page.limit && last !== undefined
        ? encodeCreatedCursor({ createdMs: Number(last.created_ms), key: last.group_key })
        : null,
  }
}

export function groupView(record: GroupRecord, index: number): GroupView {
  return {
    group_type_index: index,
    group_key: record.group_key,
    group_properties: JSON.parse(record.properties) as Record<string, unknown>,
    created_at: new Date(Number(record.created_ms)).toISOString(),
  }
}
