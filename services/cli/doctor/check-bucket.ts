import type { ObjectStore } from '../../core/object-store/object-store.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import { type Finding, fault, ok } from './check.ts'

/**
 * Writes a small object, reads it back, tries to write it again (which must be refused: exactly once in S3 rests on
 * it), and deletes it.
 *
 * @param key one that nothing else uses
 */
export async function checkBucket(store: ObjectStore, bucket: string, key: string): Promise<Finding[]> {
  const name = `bucket ${bucket}`
  const bytes = Buffer.from('written by millrace doctor')
  const put = () => store.putIfAbsent(bucket, key, { bytes }, { contentType: 'text/plain' })
  try {
    await put()
  } catch (error) {
    const fix = isDependencyError(error)
      ? (FIXES[error.code] ?? 'Look at what the server says above.')
      : 'Look at what the server says above.'
    return [fault(name, `cannot be written: ${(error as Error).message}`, fix)]
  }
  const findings: Finding[] = []
  try {
    const read = await store.get(bucket, key)
    findings.push(
      read?.equals(bytes)
        ? ok(name, 'can be written and read')
        : fault(
            name,
            'gives back other bytes than were written',
            'Do not use this server: it alters objects.',
          ),
    )
    findings.push(await conditional(name, put))
  } catch (error) {
    findings.push(
      fault(name, `cannot be read: ${(error as Error).message}`, 'Allow s3:GetObject on the bucket.'),
    )
  }
  try {
    await store.delete(bucket, key)
    findings.push(ok(name, 'can be deleted from'))
  } catch (error) {
    findings.push(
      fault(
        name,
        `${key} cannot be deleted: ${(error as Error).message}`,
        'Allow s3:DeleteObject, and delete it.',
      ),
    )
  }
  return findings
}

async function conditional(name: string, put: () => Promise<void>): Promise<Finding> {
  try {
    await put()
  } catch (error) {
    if (isDependencyError(error) && error.code === 'precondition_failed')
      return ok(name, 'refuses to write an object twice')
    throw error
  }
  return fault(
    name,
    'wrote an object twice although told not to',
    'This server ignores If-None-Match: files could be overwritten. Use one that enforces it.',
  )
}

const FIXES: Readonly<Record<string, string>> = {
  denied: 'Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and allow s3:PutObject on the bucket.',
  not_found: 'Make the bucket, or set MILLRACE_S3_BUCKET to one that is there.',
  unavailable: 'Is the server there? MILLRACE_S3_ENDPOINT and AWS_REGION say where it is looked for.',
  timeout: 'Is the server there? MILLRACE_S3_ENDPOINT and AWS_REGION say where it is looked for.',
}
