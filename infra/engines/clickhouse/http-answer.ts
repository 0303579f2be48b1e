import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { createGzip, createZstdCompress } from 'node:zlib'
import { type DialectError, errorText, httpStatus } from './dialect-error.ts'
import type { EngineStatistics } from './engine-pool.ts'

/** The answer to one query, in the server's form. Exactly one of `end` and `fail` is its end. */
export interface HttpAnswer {
  header(name: string, value: string): void
  /** Resolves when the next piece may come; `false` when nobody reads any more. */
  write(bytes: Buffer): Promise<boolean>
  end(statistics: EngineStatistics, wrote: boolean): Promise<void>
  /**
   * Before the head went out: a status and the error as the whole body. After it: the error in the marked block that
   * clients look for, and a connection that breaks before the body's end, so that nobody takes a part for the whole.
   */
  fail(error: DialectError): void
}

/** Bytes that are held back before the head goes out: an error up to there still gets a status of its own. */
const HELD_BACK_BYTES = 1024 * 1024

/** @param compress codec of the body; errors are never compressed */
export function createHttpAnswer(
  response: ServerResponse,
  version: string,
  compress: 'gzip' | 'zstd' | null,
): HttpAnswer {
  const tag = randomBytes(8).toString('hex')
  let held: Buffer[] | null = []
  let heldBytes = 0
  let out: Writable = response

  const summary = (statistics: EngineStatistics | null, wrote: boolean) => {
    const { rowsRead = 0, bytesRead = 0, elapsed = 0 } = statistics ?? {}
    response.setHeader(
      'x-clickhouse-summary',
      JSON.stringify({
        read_rows: String(rowsRead),
        read_bytes: String(bytesRead),
        written_rows: String(wrote ? rowsRead : 0),
        written_bytes: String(wrote ? bytesRead : 0),
        total_rows_to_read: '0',
        result_rows: '0',
        result_bytes: '0',
        elapsed_ns: String(Math.round(elapsed * 1e9)),
      }),
    )
  }
  const sendHead = (statistics: EngineStatistics | null, wrote: boolean) => {
    summary(statistics, wrote)
    if (compress) response.setHeader('content-encoding', compress)
    response.writeHead(200)
    if (compress) {
      out = compress === 'gzip' ? createGzip({ level: 1 }) : createZstdCompress()
      out.on('error', () => response.destroy())
      out.pipe(response)
    }
    for (const bytes of held ?? []) out.write(bytes)
    held = null
  }
  response.setHeader('x-clickhouse-timezone', 'UTC')
  response.setHeader('x-clickhouse-server-display-name', 'millrace-embedded')
  response.setHeader('x-clickhouse-exception-tag', tag)
  return {
    header: (name, value) => {
      response.setHeader(name, value)
    },
    async write(bytes) {
      if (response.destroyed) return false
      if (held) {
        held.push(bytes)
        heldBytes += bytes.length
        if (heldBytes >= HELD_BACK_BYTES) sendHead(null, false)
        return true
      }
      if (out.write(bytes)) return true
      await new Promise<void>((resolve) => {
        const go = () => {
          out.off('drain', go)
          response.off('close', go)
          resolve()
        }
        out.on('drain', go)
        response.on('close', go)
      })
      return !response.destroyed
    },
    async end(statistics, wrote) {
      if (held) sendHead(statistics, wrote)
      out.end()
      await finished(response, { readable: false }).catch(() => {})
    },
    fail(error) {
      const text = errorText(error, version)
      if (held) {
        response.removeHeader('content-encoding')
        response.setHeader('x-clickhouse-exception-code', String(error.code))
        response.setHeader('content-type', 'text/plain; charset=UTF-8')
        response.writeHead(httpStatus(error.code)).end(text)
        return
      }
      const block = `\r\n__exception__\r\n${tag}\r\n${text}\r\n${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`
      const cut = () => response.socket?.end()
      if (compress === null) response.write(block, cut)
      else {
        out.write(block)
        // The piped compressor must not end the body properly: only its bytes so far go out.
        ;(out as ReturnType<typeof createGzip>).flush(() => cut())
      }
    },
  }
}
