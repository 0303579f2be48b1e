import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'

export interface PostAnswer {
  readonly status: number
  /** What Retry-After asks for, milliseconds; null when it was not sent. */
  readonly retryAfterMs: number | null
  readonly body: string
}

/** Sends one body. Rejects when no whole answer came: whether the server took it is then not known. */
export type Post = (body: string, headers: Readonly<Record<string, string>>) => Promise<PostAnswer>

/** Answers are verdict lists; a longer one is not from a collector. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024

/**
 * POSTs over kept-alive connections.
 *
 * @param connections at most so many at once
 * @param timeoutMs   longest silence of a connection before the request counts as unanswered
 */
export function createPost(url: URL, connections: number, timeoutMs: number): { post: Post; close(): void } {
  const secure = url.protocol === 'https:'
  const options = { keepAlive: true, maxSockets: connections }
  const agent = secure ? new HttpsAgent(options) : new HttpAgent(options)
  const send = secure ? httpsRequest : httpRequest
  const post: Post = (body, headers) =>
    new Promise((resolve, reject) => {
      const bytes = Buffer.from(body)
      const request = send(url, {
        method: 'POST',
        agent,
        timeout: timeoutMs,
        headers: { 'content-type': 'application/json', 'content-length': bytes.length, ...headers },
      })
      request.once('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
      request.once('error', reject)
      request.once('response', (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length > ANSWER_BYTES_MAX) request.destroy(new Error('the answer is longer than 16 MB'))
          else chunks.push(chunk)
        })
        response.once('error', reject)
        response.once('aborted', () => reject(new Error('the answer was cut off')))
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            retryAfterMs: retryAfterMs(response.headers['retry-after']),
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        )
      })
      request.end(bytes)
    })
  return { post, close: () => agent.destroy() }
}

/** Seconds only: the collector sends no dates. */
function retryAfterMs(header: string | undefined): number | null {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) * 1000 : null
}
