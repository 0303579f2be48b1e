import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { createWriteStream, mkdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type Readable, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { DialectError } from './dialect-error.ts'
import { type FrontEngine, newQueryId } from './front-engine.ts'
import { createHttpAnswer } from './http-answer.ts'
import { type FrontRequest, readRequest } from './http-request.ts'
import { readStatement, type Statement } from './statement.ts'

export interface FrontOptions {
  readonly stateDir: string
  readonly sqlBytesMax: number
  readonly insertBytesMax: number
  readonly user: string
  /** Null lets everybody in. */
  readonly password: string | null
}

/** Parameters of a statement travel in the address; a server takes as much (http_max_uri_size). */
const REQUEST_LINE_BYTES_MAX = 1024 * 1024

/** The server's HTTP dialect in front of the engine. Not listening yet. */
export function createFrontServer(engine: FrontEngine, options: FrontOptions): Server {
  const spoolDir = join(options.stateDir, 'inserts')
  // What a killed process left was never acknowledged.
  rmSync(spoolDir, { recursive: true, force: true })
  mkdirSync(spoolDir, { recursive: true })
  const server = createServer({ maxHeaderSize: REQUEST_LINE_BYTES_MAX }, (request, response) => {
    const path = (request.url ?? '/').split('?')[0]
    const plain = (status: number, text: string) =>
      response.writeHead(status, { 'content-type': 'text/plain; charset=UTF-8' }).end(text)
    if (path === '/ping' || path === '/replicas_status') plain(200, 'Ok.\n')
    else if (path !== '/') plain(404, `There is no handle ${path}\n`)
    else if (request.method !== 'POST' && !request.url?.includes('query=')) plain(200, 'Ok.\n')
    else void serveQuery(engine, options, spoolDir, request, response)
  })
  server.keepAliveTimeout = 30_000
  server.headersTimeout = 40_000
  server.requestTimeout = 0 // An insert may be fed for longer than any fixed time.
  return server
}

async function serveQuery(
  engine: FrontEngine,
  options: FrontOptions,
  spoolDir: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => {
    if (!response.writableFinished) gone.abort(new Error('The client went away.'))
  })
  const dataPath = join(spoolDir, randomBytes(12).toString('hex'))
  let answer = createHttpAnswer(response, engine.version, null)
  try {
    const asked = readRequest(request, newQueryId)
    answer = createHttpAnswer(response, engine.version, asked.compress)
    answer.header('x-clickhouse-query-id', asked.queryId)
    authenticate(asked, options)
    const statement = await readBody(request, asked.query, dataPath, options)
    if (request.method !== 'POST' && statement.kind !== 'read')
      throw new DialectError(
        164,
        'READONLY',
        'Cannot execute query in readonly mode. Over HTTP only POST may change something',
      )
    answer.header('x-clickhouse-format', engine.formatOf(statement, asked))
    answer.header('content-type', contentType(engine.formatOf(statement, asked)))
    const data = statement.awaitsData ? dataPath : null
    const statistics = await engine.run(statement, asked, data, gone.signal, answer.write)
    await answer.end(statistics, statement.kind === 'write')
  } catch (error) {
    if (gone.signal.aborted) response.destroy()
    else if (error instanceof DialectError) answer.fail(error)
    else answer.fail(new DialectError(1001, 'STD_EXCEPTION', String((error as Error)?.message ?? error)))
    request.unpipe()
    request.resume() // What is still under way of the body is not wanted, but the answer must get through.
  } finally {
    rmSync(dataPath, { force: true })
  }
}

/** The statement; rows that follow it are put into the file at `dataPath`. */
async function readBody(
  request: IncomingMessage,
  query: string,
  dataPath: string,
  options: FrontOptions,
): Promise<Statement> {
  const statement = query === '' ? null : readStatement(query)
  if (statement?.awaitsData) {
    // Only a body that arrived whole is inserted: a cut one rejects here.
    await pipeline([...decoded(request), capped(options.insertBytesMax), createWriteStream(dataPath)])
    return statement
  }
  const pieces: Buffer[] = []
  const collect = new Writable({
    write(piece: Buffer, _encoding, done) {
      pieces.push(piece)
      done()
    },
  })
  await pipeline([...decoded(request), capped(options.sqlBytesMax), collect])
  const whole = readStatement(query + Buffer.concat(pieces).toString())
  if (whole.awaitsData) throw new DialectError(108, 'NO_DATA_TO_INSERT', 'No data to insert')
  return whole
}

function decoded(request: IncomingMessage): (Readable | Transform)[] {
  const encoding = request.headers['content-encoding'] ?? ''
  if (encoding === '' || encoding === 'identity') return [request]
  if (encoding === 'gzip') return [request, createGunzip()]
  if (encoding === 'deflate') return [request, createInflate()]
  if (encoding === 'br') return [request, createBrotliDecompress()]
  if (encoding === 'zstd') return [request, createZstdDecompress()]
  throw new DialectError(48, 'NOT_IMPLEMENTED', `Unknown compression method of the body: ${encoding}`)
}

function capped(bytesMax: number): Transform {
  let seen = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length
      if (seen > bytesMax)
        done(new DialectError(223, 'QUERY_IS_TOO_LARGE', `The body has more than ${bytesMax} bytes`))
      else done(null, chunk)
    },
  })
}

function authenticate(asked: FrontRequest, options: FrontOptions): void {
  if (options.password === null) return
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const given = digest(`${asked.user}\0${asked.password}`)
  if (!timingSafeEqual(given, digest(`${options.user}\0${options.password}`)))
    throw new DialectError(
      516,
      'AUTHENTICATION_FAILED',
      'Authentication failed: password is incorrect, or there is no user with such name',
    )
}

function contentType(format: string): string {
  if (/^JSON.*EachRow|^JSONLines$|^NDJSON$/.test(format)) return 'application/x-ndjson; charset=UTF-8'
  if (/^JSON/.test(format)) return 'application/json; charset=UTF-8'
  if (/^(TSV|TabSeparated)/.test(format)) return 'text/tab-separated-values; charset=UTF-8'
  if (/^CSV/.test(format)) return 'text/csv; charset=UTF-8; header=absent'
  return 'application/octet-stream'
}
