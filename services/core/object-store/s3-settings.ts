import { boolean, duration, integer, optional, type Settings, text } from '../runtime/settings.ts'

/** How to reach the object store. The AWS names are those that every AWS tool reads. */
export const S3_SETTINGS = {
  s3Endpoint: optional(
    text('MILLRACE_S3_ENDPOINT', {
      doc: 'URL of an S3 server other than AWS, e.g. http://127.0.0.1:9000. Left out: AWS itself.',
    }),
  ),
  s3Bucket: text('MILLRACE_S3_BUCKET', {
    default: 'millrace',
    doc: 'Bucket of the deliveries that name none.',
  }),
  s3PathStyle: optional(
    boolean('MILLRACE_S3_PATH_STYLE', {
      doc: 'Whether the bucket stands in the path and not in the host name. Left out: true when there is an endpoint.',
    }),
  ),
  s3Region: text('AWS_REGION', { default: 'us-east-1', doc: 'Region of the bucket.' }),
  s3AccessKeyId: optional(
    text('AWS_ACCESS_KEY_ID', {
      doc: 'Access key. Left out: what the AWS SDK finds (profile, container or instance role).',
    }),
  ),
  s3SecretAccessKey: optional(
    text('AWS_SECRET_ACCESS_KEY', { doc: 'Secret of the access key.', secret: true }),
  ),
  s3SessionToken: optional(
    text('AWS_SESSION_TOKEN', { doc: 'Session token of temporary credentials.', secret: true }),
  ),
  s3SocketsMax: integer('MILLRACE_S3_SOCKETS_MAX', {
    default: '16',
    min: 1,
    max: 1000,
    doc: 'Connections to the object store at most; further requests wait.',
  }),
  s3ConnectTimeoutMs: duration('MILLRACE_S3_CONNECT_TIMEOUT', {
    default: '5s',
    doc: 'Longest time to connect to the object store.',
  }),
  s3IdleTimeoutMs: duration('MILLRACE_S3_IDLE_TIMEOUT', {
    default: '10s',
    doc: 'Longest silence on a connection to the object store while a request is under way.',
  }),
  s3RequestTimeoutMs: duration('MILLRACE_S3_REQUEST_TIMEOUT', {
    default: '2m',
    doc: 'Longest time until the object store begins to answer a request, its upload included.',
  }),
  s3Attempts: integer('MILLRACE_S3_ATTEMPTS', {
    default: '5',
    min: 1,
    max: 100,
    doc: 'Tries of one request before the failure counts.',
  }),
} as const

export type S3Settings = Settings<typeof S3_SETTINGS>
