import { OFFSET_MAX, readPage } from '../http/list-page.ts'
import { addressWith } from '../http/next-address.ts'
import { choiceDeclared, countDeclared, textDeclared, wholeDeclared } from '../http/parameter-declarations.ts'
import { choiceParameter, refuseUnknown, requiredText, textParameter } from '../http/request-parameters.ts'
import type { Answer, DatasetCall, SuccessDeclaration } from '../http/route.ts'
import { VERSIONS } from './recordings-request.ts'
import { blockLines, blockSources, CHUNKS_MAX, type SnapshotNeeds, snapshotPage } from './snapshots.ts'

const SOURCES = ['blob', 'realtime'] as const
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' } as const
const LINES_TYPE = { 'content-type': 'application/jsonl; charset=utf-8' } as const

export const SNAPSHOTS_PARAMETERS = {
  version: choiceDeclared('1 for pages by window, 2 and 3 for a list of blocks.', VERSIONS, '1'),
  source: choiceDeclared('`blob` for one block; `realtime` has nothing that is in no block.', SOURCES),
  blob_key: textDeclared('Which block, as the list has it.'),
  limit: countDeclared('Chunks per page.', CHUNKS_MAX, CHUNKS_MAX),
  offset: wholeDeclared('Chunks before the page.', 0, OFFSET_MAX, 0),
}

export const SNAPSHOTS_SUCCESS: SuccessDeclaration = {
  status: 200,
  description:
    'rrweb events by window; with `version=2` the blocks of the recording, with `source=blob` one of them as JSON lines.',
}

/** @throws ApiError 400 and 404 */
export async function answerSnapshots(
  needs: SnapshotNeeds,
  { query, question, url }: Pick<DatasetCall, 'query' | 'question' | 'url'>,
  session: string,
): Promise<Answer> {
  refuseUnknown(query, Object.keys(SNAPSHOTS_PARAMETERS))
  const version = choiceParameter(query, 'version', VERSIONS, '1')
  const source = textParameter(query, 'source')
  if (source !== null) {
    const chosen = choiceParameter(query, 'source', SOURCES, 'blob')
    if (chosen === 'realtime') {
      await blockSources(needs, question, session)
      return { headers: LINES_TYPE, body: '' }
    }
    const blobKey = requiredText(query, 'blob_key')
    return { headers: LINES_TYPE, body: await blockLines(needs, question, session, blobKey) }
  }
  if (version !== '1') return { body: { sources: await blockSources(needs, question, session) } }

  const page = readPage(query, { default: CHUNKS_MAX, max: CHUNKS_MAX })
  const { byWindow, nextOffset } = await snapshotPage(needs, question, session, page)
  const next = nextOffset === null ? null : addressWith(url, { limit: page.limit, offset: nextOffset })
  return {
    headers: JSON_TYPE,
    body: `{"next":${JSON.stringify(next)},"snapshot_data_by_window_id":${byWindow},"storage":"object_storage"}`,
  }
}
