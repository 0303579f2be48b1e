import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { freePort } from '../../infra/engines/ports.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import { accessKeyHash, generateAccessKey } from '../../services/core/control/access-key.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { openBenchContext } from './bench-context.ts'
import { differenceOf } from './timing-difference.ts'

/**
 * `make timing [SAMPLES=10000]`: whether the time of an answer of the query API tells what its body does not: that a key
 * is nearly right, that a dataset or an object is there which somebody else's key opens. Two requests that are answered
 * alike are sent by turns that a coin decides, over one connection, and the difference of their medians is held against
 * what chance makes of the same times.
 */
const { values } = parseArgs({ options: { samples: { type: 'string', default: '10000' } } })
const SAMPLES = Number(values.samples)
/** Requests before the first one that counts. */
const WARM_UP = 500

const stateDir = mkdtempSync(join(tmpdir(), 'millrace-timing-'))
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const say = (text: string) => process.stderr.write(`${text}\n`)
const context = await openBenchContext(stateDir, say)
const port = await freePort()
const admin = generateAccessKey('admin', randomBytes)

interface Answer {
  readonly status: number
  readonly text: string
  readonly micros: number
}

function send(method: string, path: string, key: string, body?: object): Promise<Answer> {
  const payload = body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const headers = {
      authorization: `Bearer ${key}`,
      ...(payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
    }
    const sent = request(
      { agent, host: '127.0.0.1', port, method, path: `/api${path}`, headers },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part) => parts.push(part))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            text: Buffer.concat(parts).toString(),
            micros: (performance.now() - startedAt) * 1_000,
          }),
        )
      },
    )
    sent.on('error', reject)
    sent.end(payload)
  })
}

async function made(path: string, key: string, body: object): Promise<Record<string, unknown>> {
  const { status, text } = await send('POST', path, key, body)
  if (status !== 201) throw new Error(`POST ${path}: ${status} ${text}`)
  return JSON.parse(text)
}

/** Two requests that must not be told apart. */
interface Pair {
  readonly name: string
  readonly status: number
  readonly one: () => readonly [path: string, key: string]
  readonly other: () => readonly [path: string, key: string]
}

async function measure({ name, status, one, other }: Pair): Promise<readonly string[]> {
  const times: readonly [number[], number[]] = [[], []]
  const texts = new Set<string>()
  for (let i = -WARM_UP; Math.min(times[0].length, times[1].length) < SAMPLES; i++) {
    const side = randomBytes(1)[0]! % 2
    const [path, key] = side === 0 ? one() : other()
    const answer = await send('GET', path, key)
    if (answer.status !== status) throw new Error(`${name}: ${answer.status} ${answer.text}`)
    texts.add(answer.text)
    if (i >= 0) times[side]?.push(answer.micros)
  }
  if (texts.size !== 1)
    throw new Error(`${name}: they are told apart by their bodies: ${[...texts].join(' ')}`)
  const { medians, difference, noise } = differenceOf(times[0], times[1])
  const micros = (value: number) => value.toFixed(1)
  return [
    name,
    `${micros(medians[0])} and ${micros(medians[1])}`,
    micros(difference),
    micros(noise),
    Math.abs(difference) <= noise ? 'within noise' : 'told apart',
  ]
}

try {
  const settings = parseSettings(CLICKHOUSE_SETTINGS, { MILLRACE_CLICKHOUSE_URL: context.clickhouseUrl })
  const clickhouse = openClickHouse(settings, null)
  await migrate(clickhouse, settings.clickhouseDatabase)
  await clickhouse.close()
  const api = await context.start('query-api', {
    MILLRACE_QUERY_PORT: String(port),
    MILLRACE_QUERY_RATE_LIMITS: 'false',
    MILLRACE_ADMIN_KEY_SHA256: accessKeyHash(admin),
  })
  const personal = async (dataset: string) =>
    String(
      (await made('/personal_api_keys', admin, { label: 't', scopes: ['*'], datasets: [dataset] })).value,
    )
  await context.addDataset('blog')
  const [shop, blog] = [await personal('shop'), await personal('blog')]
  const annotation = { content: 'x', date_marker: '2026-01-01T00:00:00Z' }
  for (let i = 0; i < 20; i++) await made('/datasets/blog/annotations', blog, annotation)
  // Keys whose first 20 characters are those of a key that is there, and keys of which nothing is.
  const start = shop.slice(5, 20)
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  const near = (size: number) => {
    const bytes = randomBytes(size)
    for (const [index, character] of [...start].entries()) bytes[index] = alphabet.indexOf(character)
    // A byte past this is passed over, and would move the rest.
    return bytes.map((byte) => (byte < 248 ? byte : byte - 248))
  }
  const pairs: readonly Pair[] = [
    {
      name: 'a key whose beginning is right, and one whose is not',
      status: 401,
      one: () => ['/datasets/shop/annotations', generateAccessKey('personal', near)],
      other: () => ['/datasets/shop/annotations', generateAccessKey('personal', randomBytes)],
    },
    {
      name: 'somebody else’s dataset, and one that is not there',
      status: 404,
      one: () => ['/datasets/blog/annotations', shop],
      other: () => ['/datasets/blah/annotations', shop],
    },
    {
      name: 'an object of somebody else’s dataset, and one that is not there',
      status: 404,
      one: () => ['/datasets/blog/annotations/7', shop],
      other: () => ['/datasets/blog/annotations/7777777', shop],
    },
    {
      name: 'a number that another dataset has given out, and one that nobody has',
      status: 404,
      one: () => ['/datasets/shop/annotations/7', shop],
      other: () => ['/datasets/shop/annotations/8777777', shop],
    },
  ]
  const lines = [['requests', 'medians µs', 'difference µs', 'noise µs', '']]
  for (const pair of pairs) {
    say(`timing: ${pair.name}.`)
    lines.push([...(await measure(pair))])
  }
  for (const [name, ...cells] of lines)
    process.stdout.write(`${name?.padEnd(70)}${cells.map((cell) => cell.padStart(20)).join('')}\n`)
  await api.stop()
} finally {
  agent.destroy()
  await context.close()
  rmSync(stateDir, { recursive: true, force: true })
}
