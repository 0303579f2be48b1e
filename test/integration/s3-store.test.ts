import { randomUUID } from 'node:crypto'
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { expect, inject, test } from 'vitest'
import { S3_SETTINGS, type S3Settings } from '../../services/core/object-store/s3-settings.ts'
import { openS3Store } from '../../services/core/object-store/s3-store.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { objectStoreContract } from '../contract/object-store.ts'

const s3 = inject('s3')

function settings(more: Readonly<Record<string, string>> = {}): S3Settings {
  return parseSettings(S3_SETTINGS, {
    MILLRACE_S3_ENDPOINT: s3.endpoint,
    AWS_ACCESS_KEY_ID: s3.accessKeyId,
    AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    ...more,
  })
}

objectStoreContract('S3', () => openS3Store(settings()))

test('a wrong secret is refused for reading, writing and listing', async () => {
  const bucket = `secret-${randomUUID()}`
  const right = openS3Store(settings())
  const wrong = openS3Store(settings({ AWS_SECRET_ACCESS_KEY: 'not-the-secret' }))
  await right.createBucket(bucket)
  const body = { bytes: Buffer.from('x') }
  await expect(wrong.putIfAbsent(bucket, 'k', body, { contentType: 'text/plain' })).rejects.toMatchObject({
    code: 'denied',
    retriable: false,
  })
  await expect(wrong.get(bucket, 'k')).rejects.toMatchObject({ code: 'denied' })
  await expect(Array.fromAsync(wrong.list(bucket, ''))).rejects.toMatchObject({ code: 'denied' })
  right.close()
  wrong.close()
})

test('a server that is not there is unavailable, after the stated tries', async () => {
  let sleeps = 0
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: async () => {
      sleeps++
    },
  }
  const away = openS3Store(
    settings({ MILLRACE_S3_ENDPOINT: 'http://127.0.0.1:9', MILLRACE_S3_ATTEMPTS: '3' }),
    {
      clock,
      random: () => 0,
    },
  )
  await expect(away.head('b', 'k')).rejects.toMatchObject({ code: 'unavailable', retriable: true })
  expect(sleeps).toBe(2)
  away.close()
})

test('the server refuses bytes that do not match their checksum, and pages its listings', async () => {
  const bucket = `server-${randomUUID()}`
  const store = openS3Store(settings())
  await store.createBucket(bucket)
  const client = new S3Client({
    endpoint: s3.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: s3.accessKeyId, secretAccessKey: s3.secretAccessKey },
  })
  const wrong = client.send(
    new PutObjectCommand({ Bucket: bucket, Key: 'wrong', Body: 'bytes', ChecksumCRC32: 'AAAAAA==' }),
  )
  await expect(wrong).rejects.toMatchObject({ $metadata: { httpStatusCode: 400 } })
  expect(await store.head(bucket, 'wrong')).toBeNull()

  const keys = Array.from({ length: 1005 }, (_, index) => `page/${String(index).padStart(5, '0')}`)
  for (let index = 0; index < keys.length; index += 15)
    await Promise.all(
      keys
        .slice(index, index + 15)
        .map((key) =>
          store.putIfAbsent(bucket, key, { bytes: Buffer.alloc(0) }, { contentType: 'text/plain' }),
        ),
    )
  const first = await client.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: 'page/' }))
  expect(first.IsTruncated).toBe(true)
  expect((await Array.fromAsync(store.list(bucket, 'page/'))).map(({ key }) => key)).toEqual(keys)
  client.destroy()
  store.close()
})
