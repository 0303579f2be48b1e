import { createReadStream, createWriteStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32 } from 'node:zlib'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
} from '@aws-sdk/client-s3'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { DependencyError, isDependencyError } from '../runtime/errors.ts'
import { BRIEF, retry } from '../runtime/retry.ts'
import type { ListedObject, ObjectBody, ObjectStore } from './object-store.ts'
import { s3Error } from './s3-errors.ts'
import type { S3Settings } from './s3-settings.ts'

/**
 * The object store over S3's protocol. Every failure that may pass is tried again here a few times: a PUT that was
 * applied although its answer was lost then ends as `precondition_failed`, like any other key that exists.
 */
export function openS3Store(
  settings: S3Settings,
  env: { readonly clock: Clock; readonly random: () => number } = {
    clock: systemClock,
    random: Math.random,
  },
): ObjectStore {
  const client = new S3Client(clientConfig(settings))
  const policy = { ...BRIEF, attempts: settings.s3Attempts }
  const request = <T>(what: string, send: () => Promise<T>): Promise<T> =>
    retry(policy, env, () =>
      send().catch((error: unknown) => {
        throw s3Error(error, what)
      }),
    )
  const open = (bucket: string, key: string, range?: { readonly start: number; readonly end: number }) =>
    client.send(
      new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ...(range && { Range: `bytes=${range.start}-${range.end}` }),
      }),
    )

  return {
    async putIfAbsent(bucket, key, body, options) {
      const checksum = await crc32Of(body)
      await request(`PUT ${bucket}/${key}`, () =>
        client.send(
          new PutObjectCommand({
            Bucket: bucket,
            Key: key,
            // A stream cannot be sent twice: every try opens the file anew.
            Body: 'bytes' in body ? body.bytes : createReadStream(body.file),
            ContentLength: 'bytes' in body ? body.bytes.length : body.length,
            ContentType: options.contentType,
            ChecksumCRC32: checksum,
            IfNoneMatch: '*',
            ...(options.metadata && { Metadata: { ...options.metadata } }),
          }),
        ),
      )
    },

    head: (bucket, key) =>
      absentAsNull(
        request(`HEAD ${bucket}/${key}`, async () => {
          const found = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))
          return { length: found.ContentLength ?? 0, metadata: found.Metadata ?? {} }
        }),
      ),

    get: (bucket, key, range) =>
      absentAsNull(
        request(`GET ${bucket}/${key}`, async () => {
          const found = await open(bucket, key, range)
          const bytes = await found.Body?.transformToByteArray()
          return Buffer.from(bytes ?? [])
        }),
      ),

    download: (bucket, key, path) =>
      absentAsNull(
        request(`GET ${bucket}/${key}`, async () => {
          const found = await open(bucket, key)
          const file = createWriteStream(path)
          await pipeline(found.Body as Readable, file)
          if (found.ContentLength !== undefined && file.bytesWritten !== found.ContentLength)
            throw new DependencyError(
              's3',
              'unavailable',
              `GET ${bucket}/${key} ended after ${file.bytesWritten} of ${found.ContentLength} bytes.`,
            )
          return file.bytesWritten
        }),
      ),

    async *list(bucket, prefix, startAfter): AsyncGenerator<ListedObject> {
      let continuation: string | undefined
      do {
        const page = await request(`LIST ${bucket}/${prefix}`, () =>
          client.send(
            new ListObjectsV2Command({
              Bucket: bucket,
              Prefix: prefix,
              ...(startAfter !== undefined && { StartAfter: startAfter }),
              ...(continuation !== undefined && { ContinuationToken: continuation }),
            }),
          ),
        )
        for (const { Key, Size } of page.Contents ?? []) yield { key: Key as string, length: Size ?? 0 }
        continuation = page.IsTruncated ? page.NextContinuationToken : undefined
      } while (continuation !== undefined)
    },

    async delete(bucket, key) {
      await request(`DELETE ${bucket}/${key}`, () =>
        client.send(new DeleteObjectCommand({ Bucket: bucket, Key: key })),
      )
    },

    async createBucket(bucket) {
      await request(`CREATE ${bucket}`, () =>
        client.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: unknown) => {
          if ((error as Error).name !== 'BucketAlreadyOwnedByYou') throw error
        }),
      )
    },

    close: () => client.destroy(),
  }
}

/** What an answer means is told by our own errors; without a logger the SDK writes warnings to the console. */
const ignore = () => {}
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore }

function clientConfig(settings: S3Settings): S3ClientConfig {
  const agent = { maxSockets: settings.s3SocketsMax, keepAlive: true }
  return {
    region: settings.s3Region,
    forcePathStyle: settings.s3PathStyle ?? settings.s3Endpoint !== null,
    // Our own tries replace the SDK's, which cannot repeat a stream.
    maxAttempts: 1,
    logger: SILENT,
    requestHandler: {
      connectionTimeout: settings.s3ConnectTimeoutMs,
      socketTimeout: settings.s3IdleTimeoutMs,
      requestTimeout: settings.s3RequestTimeoutMs,
      throwOnRequestTimeout: true,
      httpAgent: agent,
      httpsAgent: agent,
    },
    ...(settings.s3Endpoint !== null && { endpoint: settings.s3Endpoint }),
    ...(settings.s3AccessKeyId !== null &&
      settings.s3SecretAccessKey !== null && {
        credentials: {
          accessKeyId: settings.s3AccessKeyId,
          secretAccessKey: settings.s3SecretAccessKey,
          ...(settings.s3SessionToken !== null && { sessionToken: settings.s3SessionToken }),
        },
      }),
  }
}

/** Only the object may be absent: a missing bucket is a fault. */
async function absentAsNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found
  } catch (error) {
    if (isDependencyError(error) && error.code === 'not_found' && !isMissingBucket(error)) return null
    throw error
  }
}

const isMissingBucket = (error: DependencyError) =>
  (error.cause as Error | undefined)?.name === 'NoSuchBucket'

/** Base64 of the big-endian CRC-32, as S3's header wants it. */
async function crc32Of(body: ObjectBody): Promise<string> {
  let sum = 0
  if ('bytes' in body) sum = crc32(body.bytes)
  else for await (const chunk of createReadStream(body.file)) sum = crc32(chunk as Buffer, sum)
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(sum)
  return bytes.toString('base64')
}
