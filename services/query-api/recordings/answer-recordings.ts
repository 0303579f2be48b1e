import { Type } from '@sinclair/typebox'
import { type ListPages, resultPages } from '../http/list-files.ts'
import type { Answer, DatasetCall, SuccessDeclaration } from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { listRecordings } from './list-recordings.ts'
import { presentRecordings, RecordingView } from './present-recordings.ts'
import type { RecordingViews } from './recording-views-store.ts'
import { RECORDING_PAGES, type RecordingsRequest } from './recordings-request.ts'

/** How a list of recordings is declared. */
export const RECORDINGS_SUCCESS: SuccessDeclaration = {
  status: 200,
  description: 'A page of them; `has_next` says whether there is another one after it.',
  schema: Type.Object({
    results: Type.Array(RecordingView),
    has_next: Type.Boolean(),
    version: Type.Integer(),
  }),
}

/** How such a list is read to its end. */
export const RECORDINGS_PAGES: ListPages = {
  ...resultPages(Object.keys(RecordingView.properties)),
  next: (body, { offset, limit }) =>
    (body as { readonly has_next: boolean }).has_next
      ? { offset: String(Number(offset ?? 0) + Number(limit ?? RECORDING_PAGES.default)) }
      : null,
}

/** Recordings as lists show them. */
export async function answerRecordings(
  needs: InsightNeeds & { readonly views: RecordingViews },
  { question, principal }: Pick<DatasetCall, 'question' | 'principal'>,
  request: RecordingsRequest,
): Promise<Answer> {
  const { records, hasNext } = await listRecordings(needs, question, request)
  const results = await presentRecordings(needs, question, principal.name, records)
  return { body: { results, has_next: hasNext, version: Number(request.version) } }
}
